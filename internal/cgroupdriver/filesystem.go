package cgroupdriver

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/bound"
)

// filesystem is the driver with which this program makes groups itself.
type filesystem struct {
	Options
	plan   *Plan
	intent *cgroupfs.Intent // until the group is made and recorded
	group  *cgroupfs.Group
	later  []cgroupfs.Write // for Finish
}

func (d *filesystem) UnitBase() (string, bool) { return "", false }

func (d *filesystem) Plan(r Request) (p *Plan, err error) {
	d.plan, err = planFilesystem(d.Layout, r, d.Optional)
	return d.plan, err
}

func (d *filesystem) Intend() (rec Record, err error) {
	if len(d.Layout.Hierarchies) == 0 {
		return rec, nil // Make reports that
	}
	if d.intent, err = d.Layout.Intend(d.plan.Path); err != nil {
		return rec, fmt.Errorf("linux.cgroupsPath: %w", err)
	}
	return Record{Intent: d.intent}, nil
}

// Make makes the group.
func (d *filesystem) Make() (Place, error) {
	p := d.plan
	group, err := cgroupfs.Create(d.Layout, p.Path)
	if err != nil {
		return Stays, fmt.Errorf("linux.cgroupsPath: %w", err)
	}
	if skipped := group.Skipped(); len(skipped) > 0 {
		// A request is not ignored silently. The path counts as a request too, as with runc.
		if !d.Optional || p.Given {
			d.forget(group)
			return Stays, mayNotMake(p, skipped[0].Err)
		}
		if len(skipped) == len(d.Layout.Hierarchies) {
			group.Close()
			d.intent = nil
			return Stays, nil
		}
	}
	d.group, d.intent = group, nil
	saved := group.Saved()
	// Stored before a process is in the group: whatever happens to this process, delete ends the processes in this
	// group, and in no other.
	if err := d.Store(Record{Path: saved.Path, Made: saved.Made, Limits: &p.Limits}); err != nil {
		return Stays, err
	}
	d.later = p.Later
	return p.Place, nil
}

func (d *filesystem) Limit() error {
	if d.group == nil {
		return nil
	}
	return limit(d.Options, d.group, d.plan)
}

// mayNotMake returns the error for a requested group that this process may not make.
func mayNotMake(p *Plan, err error) error {
	what := "linux.resources"
	if p.named {
		what = "linux.cgroupsPath and linux.resources"
	}
	return inConfig("linux.cgroupsPath: unable to apply cgroup configuration: the group %s may not be made "+
		"(rootless needs no limits + no cgrouppath when no permission is granted for cgroups: "+
		"leave out %s, or have the group delegated): %w", p.Path, what, err)
}

// forget removes a group that has no processes yet.
func (d *filesystem) forget(group *cgroupfs.Group) {
	ctx, cancel := bound.Within(context.Background(), patience)
	defer cancel()
	if err := group.Delete(ctx); err != nil {
		d.Log.Warnf("cgroup %s: %v", group.Path(), err)
	}
	group.Close()
}

// Join moves the child before anything is sent to it. Everything that the child makes for the container comes
// later, including its cgroup namespace, whose root is the group that the child is in at that time.
func (d *filesystem) Join(ctx context.Context, pid int) error {
	if d.plan.Settle {
		return AddSettled(ctx, d.group, pid)
	}
	return d.group.Add(pid)
}

func (d *filesystem) Finish(context.Context) error {
	later := d.later
	d.later = nil
	if len(later) == 0 {
		return nil
	}
	return d.group.Apply(later)
}

func (d *filesystem) Group() *cgroupfs.Group { return d.group }

// Undo uses what is already open, because the cause of the failure may be a lack of descriptors.
func (d *filesystem) Undo() error {
	switch {
	case d.group != nil:
		ctx, cancel := bound.Within(context.Background(), patience)
		defer cancel()
		return destroy(ctx, d.group)
	case d.intent != nil:
		return d.intent.Undo(d.Layout)
	}
	return nil
}

func (d *filesystem) Close() {
	if d.group != nil {
		d.group.Close()
	}
}

// limit sets the limits that apply from the beginning, and gives the group to its owner.
func limit(o Options, g *cgroupfs.Group, p *Plan) error {
	if err := g.Apply(p.Writes); err != nil {
		return err
	}
	if err := g.Rule(p.Devices); err != nil {
		return err
	}
	if p.Owner == 0 {
		return nil
	}
	err := g.Delegate(p.Owner)
	if o.Optional && errors.Is(err, unix.EPERM) {
		o.Log.Debugf("container %s: the cgroup stays this user's: %v", o.ID, err) // a plain user may not chown it
		return nil
	}
	if err != nil {
		return fmt.Errorf("give the cgroup to user %d: %w", p.Owner, err)
	}
	return nil
}
