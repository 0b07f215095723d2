package systemd

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
)

// Start creates the unit with these properties, and returns when systemd has started it: then its group exists and
// holds the processes that the properties name. It replaces a unit of that name that has failed; for any other the
// error wraps EEXIST.
//
// After an error the unit may exist, or may still appear: Stop and ResetFailed remove it.
func (m *Manager) Start(ctx context.Context, u Unit, properties []Property) error {
	err := m.start(ctx, u, properties)
	if errors.Is(err, unix.EEXIST) && m.ResetFailed(ctx, u) == nil {
		err = m.start(ctx, u, properties)
	}
	return err
}

func (m *Manager) start(ctx context.Context, u Unit, properties []Property) error {
	// Mode "replace" replaces a queued job of the unit. It affects no other unit's job, because nothing is ordered before
	// a transient unit.
	return m.job(ctx, u, "StartTransientUnit", text(u.Name), text("replace"), list(properties), array("(sa(sv))"))
}

// Set changes properties of the unit until it ends. systemd applies them now, and again whenever it reloads its units.
// Other properties stay as they are.
func (m *Manager) Set(ctx context.Context, u Unit, properties []Property) error {
	if len(properties) == 0 {
		return nil
	}
	_, err := m.about(ctx, u, "SetUnitProperties", text(u.Name), boolean(true), list(properties))
	return err
}

// Stop ends the unit and every process in its group, with SIGTERM and, after the unit's stop timeout, SIGKILL. It
// returns when the unit has ended. It is not an error if the unit does not exist.
func (m *Manager) Stop(ctx context.Context, u Unit) error {
	err := m.job(ctx, u, "StopUnit", text(u.Name), text("replace"))
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// ResetFailed makes systemd forget a unit that has failed. It is not an error if the unit does not exist or has not
// failed.
func (m *Manager) ResetFailed(ctx context.Context, u Unit) error {
	_, err := m.about(ctx, u, "ResetFailedUnit", text(u.Name))
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// minAttach is the first version with AttachProcessesToUnit (NEWS, "CHANGES WITH 238").
const minAttach = 238

// Attach moves processes into the group sub below the unit's own, or into the unit's own if sub is empty. systemd does
// it with its own rights, so that a plain user can move a process between groups without owning a common parent of
// both.
func (m *Manager) Attach(ctx context.Context, u Unit, sub string, pids ...int) error {
	if m.version < minAttach {
		return fmt.Errorf("systemd %d cannot attach processes to %s: that needs version %d: %w", m.version, u.Name, minAttach,
			unix.ENOSYS)
	}
	if sub != "" {
		sub = "/" + sub
	}
	_, err := m.about(ctx, u, "AttachProcessesToUnit", text(u.Name), text(sub), numbers(pids))
	return err
}

func numbers(pids []int) Value {
	v := array("u")
	for _, p := range pids {
		v.items = append(v.items, uint32v(uint32(p)))
	}
	return v
}

// list returns properties in the form of the manager's methods, a(sv).
func list(all []Property) Value {
	v := array("(sv)")
	for _, p := range all {
		v.items = append(v.items, tuple(text(p.Name), variant(p.Value)))
	}
	return v
}

// about calls a method about one unit, unless the unit's group is frozen.
func (m *Manager) about(ctx context.Context, u Unit, method string, body ...Value) (*message, error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	return m.awake(ctx, u, method, body)
}

// awake makes a call unless the unit's group is frozen. Processes that are frozen during a call stay frozen if the call
// hangs, and systemd would wait for them in vain. This package freezes nothing, and because every call goes through
// here, no caller can make one with a frozen group.
func (m *Manager) awake(ctx context.Context, u Unit, method string, body []Value) (*message, error) {
	if m.o.Layout == nil {
		l, err := cgroupfs.Host()
		if err != nil {
			return nil, &CallError{Call: method, Unit: u.Name, Err: err}
		}
		m.o.Layout = l
	}
	p, err := u.Path(m.base)
	if err != nil {
		return nil, err
	}
	frozen, err := m.o.Layout.Frozen(p)
	if err == nil && frozen {
		err = fmt.Errorf("not requested while the group %s is frozen (resume the container first): %w", p, unix.EBUSY)
	}
	if err != nil {
		return nil, &CallError{Call: method, Unit: u.Name, Err: err}
	}
	return m.call(ctx, u.Name, managerName, method, body...)
}

// job calls a method whose reply is a job, and waits for the job's end. Call and job share one deadline.
func (m *Manager) job(ctx context.Context, u Unit, method string, body ...Value) error {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	answer, err := m.awake(ctx, u, method, body)
	if err != nil {
		return err
	}
	if !answer.bodyIs("o") {
		return &CallError{Call: method, Unit: u.Name, Err: malformed("the reply is not a job")}
	}
	job, result := answer.body[0].text, ""
	err = m.conn.bounded(ctx, func() error {
		return m.conn.signal(func(s *message) bool {
			// u id, o job, s unit, s result. On a bus anybody can send such a signal; the reply says which peer is systemd.
			if s.member != "JobRemoved" || s.iface != managerName || s.sender != answer.sender ||
				!s.bodyIs("u", "o", "s", "s") || s.body[1].text != job {
				return false
			}
			result = s.body[3].text
			return true
		})
	})
	if err != nil {
		m.Close()
		return &CallError{Call: "the job of " + method, Unit: u.Name, Err: err}
	}
	m.conn.signals = nil
	if result != "done" {
		return &JobError{Call: method, Unit: u.Name, Result: result}
	}
	return nil
}
