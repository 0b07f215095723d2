package systemd

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
)

// Start makes the unit, with these properties, and returns when systemd has started it: its group exists then, and
// holds the processes that the properties name. A unit of that name that has failed earlier gives way; any other is an
// error in which errors.Is finds EEXIST.
//
// After an error the unit may be there, or may still come: Stop and ResetFailed remove it.
func (m *Manager) Start(ctx context.Context, u Unit, properties []Property) error {
	err := m.start(ctx, u, properties)
	if errors.Is(err, unix.EEXIST) && m.ResetFailed(ctx, u) == nil {
		err = m.start(ctx, u, properties)
	}
	return err
}

func (m *Manager) start(ctx context.Context, u Unit, properties []Property) error {
	// Mode "replace" queues the job in the place of one that is not done; no other unit's job is touched, for a transient
	// unit has none before it.
	return m.job(ctx, u, "StartTransientUnit", text(u.Name), text("replace"), list(properties), array("(sa(sv))"))
}

// Set changes properties of the unit until it ends; systemd puts them in force, and again whenever it loads its units
// anew. Any property that is not given stays.
func (m *Manager) Set(ctx context.Context, u Unit, properties []Property) error {
	if len(properties) == 0 {
		return nil
	}
	_, err := m.about(ctx, u, "SetUnitProperties", text(u.Name), boolean(true), list(properties))
	return err
}

// Stop ends the unit, and every process that is left in its group: with SIGTERM, and after the unit's own time with
// SIGKILL. It returns when the unit has ended. One that is not there is no error.
func (m *Manager) Stop(ctx context.Context, u Unit) error {
	err := m.job(ctx, u, "StopUnit", text(u.Name), text("replace"))
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// ResetFailed makes systemd forget that the unit has failed, and the unit with it. One that is not there, or has not
// failed, is no error.
func (m *Manager) ResetFailed(ctx context.Context, u Unit) error {
	_, err := m.about(ctx, u, "ResetFailedUnit", text(u.Name))
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// minAttach is the version that brought AttachProcessesToUnit (NEWS, "CHANGES WITH 238").
const minAttach = 238

// Attach moves processes into the group sub below the unit's own, or into the unit's own if sub is empty. systemd does
// it with its own rights: a plain user may so move a process between groups of which neither is in one that is the
// user's own.
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

// list is properties as the manager's methods take them, a(sv).
func list(all []Property) Value {
	v := array("(sv)")
	for _, p := range all {
		v.items = append(v.items, tuple(text(p.Name), variant(p.Value)))
	}
	return v
}

// about is a call that is about one unit. None is made while the unit's group is frozen.
func (m *Manager) about(ctx context.Context, u Unit, method string, body ...Value) (*message, error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	return m.awake(ctx, u, method, body)
}

// awake makes the call unless the unit's group is frozen. Processes that somebody has frozen for the time of a call
// would stay frozen with a call that hangs, and systemd would wait for them in vain. This package freezes nothing, and
// since every call goes this way, nobody can have it called with something frozen.
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
		err = fmt.Errorf("not asked for while the group %s is frozen (resume the container first): %w", p, unix.EBUSY)
	}
	if err != nil {
		return nil, &CallError{Call: method, Unit: u.Name, Err: err}
	}
	return m.call(ctx, u.Name, managerName, method, body...)
}

// job makes a call that systemd answers with a job, and waits for the job's end. Call and job have one bound together.
func (m *Manager) job(ctx context.Context, u Unit, method string, body ...Value) error {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	answer, err := m.awake(ctx, u, method, body)
	if err != nil {
		return err
	}
	if !answer.bodyIs("o") {
		return &CallError{Call: method, Unit: u.Name, Err: malformed("the answer is no job")}
	}
	job, result := answer.body[0].text, ""
	err = m.conn.bounded(ctx, func() error {
		return m.conn.signal(func(s *message) bool {
			// u id, o job, s unit, s result. A bus would let anybody send such a signal; the answer says who systemd is there.
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
