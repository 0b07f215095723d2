package cgroupdriver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/bound"
	"github.com/handfast/handfast/internal/log"
)

const (
	// patience bounds the wait for a group to become empty: a killed process may be in the middle of a long system
	// call.
	patience = 30 * time.Second
	// strayPatience bounds the wait for a group that Kill has emptied, before destroy looks for processes that are
	// in the group in only some of its hierarchies.
	strayPatience = 200 * time.Millisecond
)

// Existing is the group of a container that was made earlier. It holds no descriptors.
type Existing struct {
	ID     string // the container's
	Record Record
	Layout func() (*cgroupfs.Layout, error) // returns the host's layout; called when it is needed
	Log    *log.Logger
	// Held is the group if this process has it open already; if nil, the group is opened when it is needed. It is
	// borrowed.
	Held  *cgroupfs.Group
	Plain bool // this process is not root on the machine; matters with Record.UserUnit
}

// Open opens the group, in the hierarchies where it still is. The caller closes it. The Record must have a path.
func (e *Existing) Open() (*cgroupfs.Group, error) {
	layout, err := e.Layout()
	if err != nil {
		return nil, err
	}
	return cgroupfs.Load(layout, cgroupfs.Saved{Path: e.Record.Path, Made: e.Record.Made})
}

// With calls do with the group, if the container has one. The context that do gets ends after 30 s at the latest.
func (e *Existing) With(ctx context.Context, do func(context.Context, *cgroupfs.Group) error) error {
	if e.Record.Path == "" {
		return nil
	}
	group := e.Held
	if group == nil || group.Saved() != (cgroupfs.Saved{Path: e.Record.Path, Made: e.Record.Made}) {
		var err error
		if group, err = e.Open(); err != nil {
			return err
		}
		defer group.Close()
	}
	ctx, cancel := bound.Within(ctx, patience)
	defer cancel()
	return do(ctx, group)
}

// Frozen reports whether the group is frozen. It is false if the group is gone or the container has none.
func (e *Existing) Frozen() (bool, error) {
	if e.Record.Path == "" {
		return false, nil
	}
	layout, err := e.Layout()
	if err != nil {
		return false, err
	}
	return layout.Frozen(e.Record.Path)
}

// Remove ends the processes that are left in the group, removes the group, and then makes systemd end its unit. If
// a create was stopped before it recorded the group, Remove removes what that create has made.
func (e *Existing) Remove() error {
	if e.Record.Intent != nil {
		layout, err := e.Layout()
		if err != nil {
			return err
		}
		return e.Record.Intent.Undo(layout)
	}
	if err := e.With(context.Background(), destroy); err != nil {
		return err
	}
	return e.endUnit()
}

// destroy ends every process in the group and removes it. A process may have been moved into the group in only some
// hierarchies, for example by a hook. destroy looks for such processes only if the group turns out to be busy,
// because that requires a walk over every hierarchy.
func destroy(ctx context.Context, g *cgroupfs.Group) error {
	if err := g.Kill(ctx); err != nil {
		return err
	}
	brief, cancel := bound.Within(ctx, strayPatience)
	err := g.Delete(brief)
	cancel()
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if err := g.KillStrays(); err != nil {
		return err
	}
	return g.Delete(ctx)
}

// Update merges change into the limits old, which are in force, passes the result to store, and tells systemd if
// the group belongs to a unit. It prepares the connection to systemd first, so that failures there come before a
// limit is set. After an error the old limits are in force, unless the error says otherwise.
func (e *Existing) Update(ctx context.Context, old, change *cgroupfs.Resources,
	store func(*cgroupfs.Resources) error) error {
	u, err := e.openUnit(old)
	if err != nil {
		return err
	}
	defer u.close()
	return e.With(ctx, func(ctx context.Context, g *cgroupfs.Group) error {
		next, err := g.Update(old, withoutIdle(old, withoutSwapLimit(old, change)))
		if err != nil {
			return err
		}
		if err := store(next); err != nil {
			return fmt.Errorf("the limits hold, but are not stored for the next update: %w", err)
		}
		if err := u.set(ctx, next); err != nil {
			return fmt.Errorf("the limits hold, but only until systemd sets those that it knows: %w", err)
		}
		return nil
	})
}

// withoutSwapLimit removes the limit of memory and swap together when change removes that of memory alone, unless
// change sets a new one: the limit of both cannot be the lower one.
func withoutSwapLimit(old, change *cgroupfs.Resources) *cgroupfs.Resources {
	none := int64(-1)
	if change.Memory == nil || *change.Memory >= 0 || change.MemorySwap != nil || old.MemorySwap == nil ||
		*old.MemorySwap < 0 {
		return change
	}
	out := *change
	out.MemorySwap = &none
	return &out
}

// withoutIdle makes an idle group non-idle if change sets a weight and does not mention idle: the kernel does not
// accept a weight for an idle group, and systemd also ends idle then.
func withoutIdle(old, change *cgroupfs.Resources) *cgroupfs.Resources {
	file := func(r *cgroupfs.Resources, name string) (value string, there bool) {
		i := slices.IndexFunc(r.Unified, func(u cgroupfs.Unified) bool { return u.File == name })
		if i < 0 {
			return "", false
		}
		return strings.TrimSpace(r.Unified[i].Value), true
	}
	value, inFile := file(old, "cpu.idle")
	idle := inFile && value != "0" || !inFile && old.CPUIdle != nil && *old.CPUIdle != 0
	_, weight := file(change, "cpu.weight")
	_, nice := file(change, "cpu.weight.nice")
	_, said := file(change, "cpu.idle")
	if !idle || said || change.CPUIdle != nil || change.CPUShares == nil && !weight && !nice {
		return change
	}
	out := *change
	out.CPUIdle = new(int64)
	if inFile {
		out.Unified = append([]cgroupfs.Unified{{File: "cpu.idle", Value: "0"}}, change.Unified...)
	}
	return &out
}

// Attaches reports whether systemd must move a process that is to join the group: a plain user may not move a
// process out of the session's group, which belongs to root, into one of the user's own (cgroups(7), "Cgroups
// delegation containment rules").
func (e *Existing) Attaches() bool { return e.Record.UserUnit && e.Plain }

// Attach makes systemd move a process into the group, or into a group below it. It may be called only if Attaches
// is true.
func (e *Existing) Attach(ctx context.Context, group string, pid int) error {
	below := strings.Trim(strings.TrimPrefix(group, e.Record.Path), "/")
	return e.attach(ctx, below, pid)
}
