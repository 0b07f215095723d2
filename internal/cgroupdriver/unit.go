package cgroupdriver

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/cgroupfs/systemd"
	"github.com/handfast/handfast/internal/bound"
)

// unitDriver is the driver with which systemd makes groups. Systemd makes a unit around an existing process, so
// nearly all of the work happens in Join.
type unitDriver struct {
	Options
	manager *systemd.Manager
	host    systemd.Host
	plan    *Plan
	record  Record
	group   *cgroupfs.Group
	later   []cgroupfs.Write   // for Finish
	props   []systemd.Property // for Finish
}

// openSystemd determines which systemd will make the group, before anything is made.
func openSystemd(o Options) (Driver, error) {
	m, err := systemd.Open(context.Background(), systemd.Options{User: o.User, Layout: o.Layout})
	if err != nil {
		return nil, fmt.Errorf("--systemd-cgroup: %w (is systemd this host's process 1? elsewhere leave the option out)", err)
	}
	host, err := hostOf(m, o.Layout)
	if err != nil {
		m.Close()
		return nil, err
	}
	return &unitDriver{Options: o, manager: m, host: host}, nil
}

// hostOf returns what the properties of a unit depend on.
func hostOf(m *systemd.Manager, l *cgroupfs.Layout) (systemd.Host, error) {
	names, err := deviceNames()
	return systemd.Host{Version: m.Version(), V2: l.Mode() == cgroupfs.V2, Devices: names}, err
}

// deviceNames returns the host's drivers, because systemd identifies devices by the names of drivers. It returns
// none if the host does not list them.
func deviceNames() (systemd.DeviceNames, error) {
	text, err := os.ReadFile("/proc/devices")
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return systemd.ParseDeviceNames(string(text)), err
}

func (d *unitDriver) UnitBase() (string, bool) { return d.manager.Base(), true }

func (d *unitDriver) Plan(r Request) (p *Plan, err error) {
	d.plan, err = planSystemd(d.host, d.Layout, r, d.Optional)
	return d.plan, err
}

func (d *unitDriver) Intend() (Record, error) { return Record{}, nil }

func (d *unitDriver) Make() (Place, error) { return d.plan.Place, nil }

// Join makes systemd create the unit around the child.
func (d *unitDriver) Join(ctx context.Context, pid int) error {
	p := d.plan
	if p.Settle {
		awaitSettled(ctx, pid)
	}
	if err := d.checkEmpty(); err != nil {
		return err
	}
	if err := d.start(ctx, pid); err != nil {
		return err
	}
	if err := d.adopt(); err != nil {
		return err
	}
	// The process joins the hierarchies that systemd leaves alone, or a slice, into which systemd puts no
	// processes. If an annotation requests a group below the unit's, the process moves on into that.
	var err error
	if p.Unit.Sub != "" {
		err = d.group.Inner(p.Unit.Sub, pid)
	} else {
		err = d.group.Add(pid)
	}
	if err != nil {
		return err
	}
	d.later, d.props = p.Later, p.LaterProps
	return nil
}

// Limit sets the limits of the unit's group that systemd does not set.
func (d *unitDriver) Limit() error { return limit(d.Options, d.group, d.plan) }

// checkEmpty fails if the unit's group has processes before the unit is made: they belong to something else, and
// would be ended together with the container.
func (d *unitDriver) checkEmpty() error {
	g, err := cgroupfs.Load(d.Layout, cgroupfs.Saved{Path: d.plan.Path})
	if err != nil {
		return err
	}
	defer g.Close()
	pids, err := g.Procs()
	if err == nil && len(pids) > 0 {
		err = fmt.Errorf("linux.cgroupsPath: the cgroup %s of %s exists and holds %d processes: %w", d.plan.Path,
			d.plan.Unit.Name, len(pids), unix.EBUSY)
	}
	return err
}

// start makes systemd create the unit. It records the unit as the container's before it sends the request, so that
// delete finds the unit if this process is killed. If systemd refuses the request, start removes that record again,
// because the unit may belong to something else.
func (d *unitDriver) start(ctx context.Context, pid int) error {
	p := d.plan
	properties := append(d.host.Base(p.Unit, "handfast container "+d.ID, pid), p.Properties...)
	if err := d.store(Record{Path: p.Path, Limits: &p.Limits, Unit: p.Unit, UserUnit: d.User}); err != nil {
		return err
	}
	err := d.manager.Start(ctx, p.Unit, properties)
	if err != nil {
		err = fmt.Errorf("unable to apply cgroup configuration: unable to start unit %q: %w", p.Unit.Name, err)
	}
	if refused := (*systemd.CallError)(nil); errors.As(err, &refused) && refused.Name != "" {
		if e := d.store(Record{Limits: &p.Limits}); e != nil {
			err = fmt.Errorf("%w; and %w", err, e)
		}
	}
	return err
}

func (d *unitDriver) store(rec Record) error {
	d.record = rec
	return d.Store(rec)
}

// adopt opens the group that systemd has made. The group must exist already: creating it would hide that systemd
// has made another one.
func (d *unitDriver) adopt() error {
	g, err := cgroupfs.Load(d.Layout, cgroupfs.Saved{Path: d.record.Path})
	if err != nil {
		return err
	}
	found := len(g.Dirs()) > 0
	g.Close()
	if !found {
		return fmt.Errorf("systemd has started %s, but its cgroup %s is not there: %w", d.record.Unit.Name, d.record.Path,
			unix.ENOENT)
	}
	d.group, err = cgroupfs.Adopt(d.Layout, d.record.Path)
	return err
}

func (d *unitDriver) Finish(ctx context.Context) error {
	if props := d.props; len(props) > 0 {
		d.props = nil
		if err := d.manager.Set(ctx, d.plan.Unit, props); err != nil {
			return notSet(err)
		}
	}
	later := d.later
	if d.later = nil; len(later) == 0 {
		return nil
	}
	return d.group.Apply(later)
}

func (d *unitDriver) Group() *cgroupfs.Group { return d.group }

func (d *unitDriver) Undo() error {
	e := d.existing()
	var err error
	if d.group != nil {
		ctx, cancel := bound.Within(context.Background(), patience)
		defer cancel()
		err = destroy(ctx, d.group)
	} else {
		err = e.With(context.Background(), destroy)
	}
	return join(err, e.endUnit())
}

// existing returns the unit as another command would find it.
func (d *unitDriver) existing() *Existing {
	return &Existing{ID: d.ID, Record: d.record, Log: d.Log,
		Layout: func() (*cgroupfs.Layout, error) { return d.Layout, nil }}
}

func (d *unitDriver) Close() {
	if d.group != nil {
		d.group.Close()
	}
	d.manager.Close()
}

// join combines two errors into one line.
func join(first, second error) error {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return fmt.Errorf("%w; and %w", first, second)
}
