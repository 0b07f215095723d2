// Package sys is the thin layer over golang.org/x/sys/unix that the child's side needs: paths resolved below a root by
// descriptor, mounts by descriptor, capabilities.
//
// Every function takes a name for errors and returns *Error, which holds operation and path and unwraps to the errno.
// No function here follows a path out of the root that it was given, or resolves one twice.
package sys

import "golang.org/x/sys/unix"

// Error is a failed system call: what was done, to what, and the errno.
type Error struct {
	Op   string
	Path string // empty where there is none
	Err  error
	Log  string // what the kernel said besides the errno (fsopen(2)); empty for nothing
}

func (e *Error) Error() string {
	s := e.Op
	if e.Path != "" {
		s += " " + e.Path
	}
	s += ": " + e.Err.Error()
	if e.Log != "" {
		s += " (" + e.Log + ")"
	}
	return s
}

// Unwrap is the errno.
func (e *Error) Unwrap() error { return e.Err }

// fail is an *Error for err, nil for nil.
func fail(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Path: path, Err: err}
}

// retry calls f until it is not interrupted.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// Close closes fd unless it is negative.
func Close(fd int) {
	if fd >= 0 {
		_ = unix.Close(fd)
	}
}
