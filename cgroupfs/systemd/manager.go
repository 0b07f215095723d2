package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
)

// patience is the deadline of a call without an earlier one. A call takes systemd milliseconds, and a job for a scope
// not much longer.
const patience = 30 * time.Second

// Options say which systemd to use.
type Options struct {
	User    bool             // the manager of this user, not the system's
	Socket  string           // the path of a bus's socket; empty: where the environment or the D-Bus Specification says
	Timeout time.Duration    // for each call; 0 is 30 s
	Layout  *cgroupfs.Layout // the host's control groups; nil: read when needed
}

// Manager talks to systemd. It owns its connection until Close, and opens a new one after a call has failed on the old
// one. It must not be used by several goroutines at once.
type Manager struct {
	o       Options
	conn    *conn // nil: none, or none any more
	version int
	base    string
}

// Open connects to systemd and reads its version and its group. The caller closes the Manager.
func Open(ctx context.Context, o Options) (*Manager, error) {
	if o.Timeout <= 0 {
		o.Timeout = patience
	}
	m := &Manager{o: o}
	version, err := m.property(ctx, "Version", "s")
	if err == nil {
		m.version, err = parseVersion(version.text)
	}
	if err == nil {
		var base Value
		base, err = m.property(ctx, "ControlGroup", "s")
		m.base = strings.TrimSuffix(base.text, "/")
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Close closes the connection. Units stay.
func (m *Manager) Close() {
	if m.conn != nil {
		m.conn.close()
		m.conn = nil
	}
}

// Version returns the version of systemd, such as 252.
func (m *Manager) Version() int { return m.version }

// Base returns the group that the manager's units are below: empty for the system's manager, that of its service for a
// user's.
func (m *Manager) Base() string { return m.base }

// parseVersion parses "252", "252.38-1~deb12u1", "v256.1" or "systemd 219".
func parseVersion(text string) (int, error) {
	digits := strings.TrimLeft(strings.TrimPrefix(text, "systemd"), " v")
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(digits)
	}
	n, err := strconv.Atoi(digits[:end])
	if err != nil {
		return 0, fmt.Errorf("systemd: its version %q does not begin with a number: %w", text, unix.EBADMSG)
	}
	return n, nil
}

// reach connects, if there is no connection, to the first place that accepts one.
func (m *Manager) reach(ctx context.Context) error {
	if m.conn != nil {
		return nil
	}
	all := []place{{m.o.Socket, true}}
	if m.o.Socket == "" {
		var err error
		if all, err = places(m.o.User, os.Geteuid(), os.Getenv); err != nil {
			return err
		}
	}
	var failed []string
	var first error
	for _, p := range all {
		c, err := connect(ctx, p)
		if err == nil {
			if m.conn = c; c.bus {
				err = m.introduce(ctx)
			}
			return err
		}
		if failed = append(failed, err.Error()); first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	if len(failed) == 1 {
		return first
	}
	return &unreachable{strings.Join(failed, "; "), first}
}

// unreachable says that no place accepted a connection, with the error of the first one.
type unreachable struct {
	text  string
	first error
}

func (e *unreachable) Error() string { return e.text }
func (e *unreachable) Unwrap() error { return e.first }

// introduce says Hello to a bus, as every client must, and subscribes to the signals for the end of a job.
func (m *Manager) introduce(ctx context.Context) error {
	for _, c := range [...]*message{
		{destination: busName, path: "/org/freedesktop/DBus", iface: busName, member: "Hello"},
		{destination: busName, path: "/org/freedesktop/DBus", iface: busName, member: "AddMatch", body: []Value{text(
			"type='signal',sender='" + systemdName + "',interface='" + managerName + "',member='JobRemoved',path='" +
				managerPath + "'")}},
		{destination: systemdName, path: managerPath, iface: managerName, member: "Subscribe"},
	} {
		if _, err := m.exchange(ctx, c, ""); err != nil {
			return err
		}
	}
	return nil
}

// Names on the bus, org.freedesktop.systemd1(5).
const (
	busName     = "org.freedesktop.DBus"
	systemdName = "org.freedesktop.systemd1"
	managerName = "org.freedesktop.systemd1.Manager"
	managerPath = "/org/freedesktop/systemd1"
)

// exchange sends a call on the open connection and waits for the reply. If that fails it closes the connection, on
// which half a message may be left.
func (m *Manager) exchange(ctx context.Context, call *message, unit string) (*message, error) {
	call.kind = methodCall
	var answer *message
	err := m.conn.bounded(ctx, func() (err error) {
		if err = m.conn.send(call); err == nil {
			answer, err = m.conn.reply(call.serial)
		}
		return err
	})
	if err != nil {
		m.Close()
		return nil, &CallError{Call: call.member, Unit: unit, Err: err}
	}
	if answer.kind == errorReply {
		return nil, refused(call.member, unit, answer)
	}
	return answer, nil
}

// call calls a method of systemd's manager within ctx and the Manager's own deadline, and connects first if need be.
func (m *Manager) call(ctx context.Context, unit, iface, method string, body ...Value) (*message, error) {
	if err := m.reach(ctx); err != nil {
		var e *CallError
		if !errors.As(err, &e) {
			e = &CallError{Call: method, Unit: unit, Err: err}
		} else {
			e = &CallError{Call: e.Call + " before " + method, Unit: unit, Name: e.Name, Message: e.Message, Err: e.Err}
		}
		m.Close()
		return nil, e
	}
	return m.exchange(ctx, &message{destination: systemdName, path: managerPath, iface: iface, member: method, body: body},
		unit)
}

// bound returns ctx with the Manager's own deadline, which the error names.
func (m *Manager) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, m.o.Timeout, fmt.Errorf("no reply within %v: %w", m.o.Timeout,
		context.DeadlineExceeded))
}

// property reads a property of the manager.
func (m *Manager) property(ctx context.Context, name, kind string) (Value, error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	answer, err := m.call(ctx, "", "org.freedesktop.DBus.Properties", "Get", text(managerName), text(name))
	if err != nil {
		return Value{}, fmt.Errorf("property %s: %w", name, err)
	}
	if !answer.bodyIs("v") || answer.body[0].items[0].kind != kind {
		return Value{}, fmt.Errorf("systemd: property %s has not the type %s: %w", name, kind, unix.EBADMSG)
	}
	return answer.body[0].items[0], nil
}
