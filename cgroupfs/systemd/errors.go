package systemd

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// CallError is a call that systemd has refused, or to which it has not replied.
type CallError struct {
	Call    string // the method, such as "StartTransientUnit"
	Unit    string // that the call was about; empty: none
	Name    string // D-Bus's name of the error; empty: there was no reply
	Message string // the text of the reply
	Err     error  // why there was no reply, or an errno that the name stands for; may be nil
}

// Error is one line.
func (e *CallError) Error() string {
	s := "systemd: " + e.Call
	if e.Unit != "" {
		s += " of " + e.Unit
	}
	if e.Name != "" {
		if e.Message != "" {
			s += ": " + e.Message
		}
		return s + " (" + e.Name + ")"
	}
	if e.Err == nil {
		return s + " failed"
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns the errno, or what ended the wait.
func (e *CallError) Unwrap() error { return e.Err }

// errnos are the errors of systemd and of the bus that a caller may want to distinguish
// (src/libsystemd/sd-bus/bus-common-errors.h, D-Bus Specification).
var errnos = [...]struct {
	name  string
	errno unix.Errno
}{
	{"org.freedesktop.systemd1.NoSuchUnit", unix.ENOENT},
	{"org.freedesktop.systemd1.UnitExists", unix.EEXIST},
	{"org.freedesktop.systemd1.ShuttingDown", unix.ESHUTDOWN},
	{"org.freedesktop.DBus.Error.AccessDenied", unix.EACCES},
	{"org.freedesktop.DBus.Error.AuthFailed", unix.EACCES},
	{"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", unix.EACCES},
	{"org.freedesktop.DBus.Error.InvalidArgs", unix.EINVAL},
	{"org.freedesktop.DBus.Error.PropertyReadOnly", unix.EINVAL},
	{"org.freedesktop.DBus.Error.UnknownProperty", unix.EINVAL},
	{"org.freedesktop.DBus.Error.UnknownMethod", unix.ENOSYS},
	{"org.freedesktop.DBus.Error.ServiceUnknown", unix.ENOENT},
	{"org.freedesktop.DBus.Error.NoReply", unix.ETIMEDOUT},
	{"org.freedesktop.DBus.Error.Timeout", unix.ETIMEDOUT},
	{"org.freedesktop.DBus.Error.LimitsExceeded", unix.EAGAIN},
}

// refused returns the error for an error reply.
func refused(call, unit string, m *message) error {
	e := &CallError{Call: call, Unit: unit, Name: m.errorName}
	if len(m.body) > 0 {
		e.Message = m.body[0].text
	}
	for _, n := range errnos {
		if n.name == m.errorName {
			e.Err = n.errno
		}
	}
	return e
}

// JobError is a job of systemd that did not succeed.
type JobError struct {
	Call   string // the method that started it
	Unit   string
	Result string // systemd's word, other than "done"
}

// results explains systemd's words for the result of a job (org.freedesktop.systemd1(5), "JobRemoved"), with the
// closest errno.
var results = [...]struct {
	result, why string
	errno       unix.Errno
}{
	{"canceled", "another job took its place", unix.ECANCELED},
	{"timeout", "the unit did not make it in time", unix.ETIMEDOUT},
	{"failed", "the unit failed; systemctl status and the journal say how", unix.EIO},
	{"dependency", "a unit that it needs failed", unix.EIO},
	{"skipped", "it did not apply to the unit", unix.EINVAL},
	{"invalid", "it does not apply to units of this kind", unix.EINVAL},
	{"assert", "an assertion of the unit does not hold", unix.EINVAL},
	{"unsupported", "systemd does not support such units here", unix.ENOTSUP},
	{"collected", "systemd has unloaded the unit", unix.ENOENT},
	{"once", "the unit runs once only, and has", unix.EALREADY},
	{"frozen", "the unit is frozen", unix.EBUSY},
	{"concurrency", "too many units of its slice are active", unix.EAGAIN},
}

// Error is one line.
func (e *JobError) Error() string {
	why, _ := e.means()
	return fmt.Sprintf("systemd: the job of %s of %s ended with %q: %s", e.Call, e.Unit, e.Result, why)
}

// Unwrap returns the errno that is closest to the result.
func (e *JobError) Unwrap() error {
	_, errno := e.means()
	return errno
}

func (e *JobError) means() (string, unix.Errno) {
	for _, r := range results {
		if r.result == e.Result {
			return r.why, r.errno
		}
	}
	return "systemd gives no further reason", unix.EIO
}
