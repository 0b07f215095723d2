package lifecycle

import (
	"context"
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/cgroupfs/systemd"
	"github.com/handfast/handfast/internal/oci/state"
)

// unitOf is the unit of a container that has one.
func unitOf(s *state.State) systemd.Unit {
	return systemd.Unit{Slice: s.UnitSlice, Name: s.Unit, Sub: s.UnitSub}
}

// deviceNames are the host's drivers, for systemd names devices by them. A host that does not tell has none.
func deviceNames() (systemd.DeviceNames, error) {
	text, err := os.ReadFile("/proc/devices")
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return systemd.ParseDeviceNames(string(text)), err
}

// withUnit connects to the systemd that has the container's unit, if it has one.
func (r *Runtime) withUnit(s *state.State, do func(*systemd.Manager) error) error {
	if s.Unit == "" {
		return nil
	}
	m, err := systemd.Open(context.Background(), systemd.Options{User: s.UnitUser})
	if err != nil {
		return err
	}
	defer m.Close()
	return do(m)
}

// attaches says whether systemd must move a process that is executed: a plain user may not move one out of the
// session's group, which is root's, into one of the user's own (cgroups(7), "Cgroups delegation containment rules").
func (e *execution) attaches() bool { return e.state.UnitUser && !Privileged() }

// attach has systemd move the process into the group that it shall be in.
func (e *execution) attach(ctx context.Context, pid int) error {
	if !e.attaches() {
		return nil
	}
	below := strings.TrimPrefix(e.group.Path(), e.state.CgroupPath)
	return e.r.withUnit(e.state, func(m *systemd.Manager) error {
		return m.Attach(ctx, unitOf(e.state), strings.Trim(below, "/"), pid)
	})
}

// endUnit makes systemd end and forget the unit of a container whose processes are gone.
func (r *Runtime) endUnit(s *state.State) error {
	err := r.withUnit(s, func(m *systemd.Manager) error {
		if err := m.Stop(context.Background(), unitOf(s)); err != nil {
			return err
		}
		return m.ResetFailed(context.Background(), unitOf(s))
	})
	// Where nobody listens there is no unit any more.
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		r.Log.Warnf("container %s: its unit cannot be ended: %v", s.ID, err)
		return nil
	}
	return err
}

// changeUnit prepares to tell systemd of new limits, so that it puts them in force again whenever it loads its units
// anew. What can go wrong before they are set does so here.
func (r *Runtime) changeUnit(s *state.State, old *cgroupfs.Resources) (change func(context.Context,
	*cgroupfs.Resources) error, done func(), err error) {
	if s.Unit == "" {
		return func(context.Context, *cgroupfs.Resources) error { return nil }, func() {}, nil
	}
	frozen, err := r.frozen(s)
	if err == nil && frozen {
		err = errors.New("it is paused, and systemd is not asked for anything while a container is: resume it first")
	}
	if err != nil {
		return nil, nil, err
	}
	layout, err := r.host()
	if err != nil {
		return nil, nil, err
	}
	m, err := systemd.Open(context.Background(), systemd.Options{User: s.UnitUser, Layout: layout})
	if err != nil {
		return nil, nil, err
	}
	names, err := deviceNames()
	host := systemd.Host{Version: m.Version(), V2: layout.Mode() == cgroupfs.V2, Devices: names}
	var before []systemd.Property
	if err == nil {
		before, err = host.Plan(old)
	}
	if err != nil {
		m.Close()
		return nil, nil, err
	}
	return func(ctx context.Context, next *cgroupfs.Resources) error {
		after, err := host.Plan(next)
		if err != nil {
			return err
		}
		return m.Set(ctx, unitOf(s), systemd.Difference(before, after))
	}, m.Close, nil
}
