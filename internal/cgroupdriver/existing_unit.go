package cgroupdriver

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/cgroupfs/systemd"
)

// withManager connects to the systemd that manages the container's unit, if there is one, and calls do.
func (e *Existing) withManager(do func(*systemd.Manager) error) error {
	if e.Record.Unit.Name == "" {
		return nil
	}
	m, err := systemd.Open(context.Background(), systemd.Options{User: e.Record.UserUnit})
	if err != nil {
		return err
	}
	defer m.Close()
	return do(m)
}

func (e *Existing) attach(ctx context.Context, below string, pid int) error {
	return e.withManager(func(m *systemd.Manager) error { return m.Attach(ctx, e.Record.Unit, below, pid) })
}

// endUnit makes systemd stop and forget the unit, whose processes are gone.
func (e *Existing) endUnit() error {
	err := e.withManager(func(m *systemd.Manager) error {
		if err := m.Stop(context.Background(), e.Record.Unit); err != nil {
			return err
		}
		return m.ResetFailed(context.Background(), e.Record.Unit)
	})
	// If nothing listens, the unit does not exist any more.
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		e.Log.Warnf("container %s: its unit cannot be ended: %v", e.ID, err)
		return nil
	}
	return err
}

// openedUnit is a unit whose properties follow the limits. The zero value means that there is no unit.
type openedUnit struct {
	manager *systemd.Manager
	host    systemd.Host
	unit    systemd.Unit
	before  []systemd.Property
}

// openUnit prepares to tell systemd about new limits, so that systemd also applies them whenever it reloads its
// units.
func (e *Existing) openUnit(old *cgroupfs.Resources) (*openedUnit, error) {
	if e.Record.Unit.Name == "" {
		return &openedUnit{}, nil
	}
	frozen, err := e.Frozen()
	if err == nil && frozen {
		err = errors.New("it is paused, and systemd is not asked for anything while a container is: resume it first")
	}
	if err != nil {
		return nil, err
	}
	layout, err := e.Layout()
	if err != nil {
		return nil, err
	}
	m, err := systemd.Open(context.Background(), systemd.Options{User: e.Record.UserUnit, Layout: layout})
	if err != nil {
		return nil, err
	}
	u := &openedUnit{manager: m, unit: e.Record.Unit}
	if u.host, err = hostOf(m, layout); err == nil {
		u.before, err = u.host.Plan(old)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return u, nil
}

// set tells systemd which limits have changed.
func (u *openedUnit) set(ctx context.Context, next *cgroupfs.Resources) error {
	if u.manager == nil {
		return nil
	}
	after, err := u.host.Plan(next)
	if err != nil {
		return err
	}
	return notSet(u.manager.Set(ctx, u.unit, systemd.Difference(u.before, after)))
}

// notSet prefixes an error of Manager.Set with runc's words.
func notSet(err error) error {
	if err != nil {
		err = fmt.Errorf("unable to set unit properties: %w", err)
	}
	return err
}

func (u *openedUnit) close() {
	if u.manager != nil {
		u.manager.Close()
	}
}
