// Package sys is a thin layer over golang.org/x/sys/unix for the child: paths resolved below a root by descriptor,
// mounts by descriptor, capabilities.
//
// Every function takes a name for errors and returns *Error, which has the operation and the path, and unwraps to the
// errno. No function here follows a path out of the given root, or resolves a path twice.
package sys

import "golang.org/x/sys/unix"

// Error is a failed system call: the operation, its object, and the errno.
type Error struct {
	Op   string
	Path string // empty if there is none
	Err  error
	Log  string // the kernel's message besides the errno (fsopen(2)), or empty
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

// Unwrap returns the errno.
func (e *Error) Unwrap() error { return e.Err }

// fail returns an *Error for err, or nil for nil.
func fail(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Path: path, Err: err}
}

// retry calls f until it is not interrupted (EINTR).
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
