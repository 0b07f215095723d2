package remote

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxErrno is above every number that an architecture gives to an error that programs see, <asm-generic/errno.h>, and
// leaves room for new ones.
const maxErrno = 255

// errnoName is the kernel's name of an error; empty for a number without one.
func errnoName(no syscall.Errno) string { return unix.ErrnoName(no) }

// errnoOf is the error of that name; zero where this architecture has none. A few errors have two names each, of which
// errnoName knows only one.
func errnoOf(name string) syscall.Errno {
	switch name {
	case "":
		return 0
	case "EWOULDBLOCK":
		return unix.EWOULDBLOCK
	case "EDEADLOCK":
		return unix.EDEADLOCK
	case "EOPNOTSUPP":
		return unix.EOPNOTSUPP
	case "ENOTSUP":
		return unix.ENOTSUP
	}
	for no := syscall.Errno(1); no <= maxErrno; no++ {
		if unix.ErrnoName(no) == name {
			return no
		}
	}
	return 0
}

type registered struct {
	name string
	err  error
}

// Added sentinels. A slice: there are few, and a program may stop at the first error that it ever reports.
var added struct {
	sync.RWMutex
	list []registered
}

// Register makes a sentinel known by a name, such as "example.com/app.ErrBusy", in this process; the other one has to
// do the same, with the same name. Then an error that is err there is err here, as errors.Is sees it. The name and the
// error must both be new, and the error comparable, as errors.Is demands.
//
// Known without it, by the names of their packages: io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, context.Canceled,
// context.DeadlineExceeded, fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrClosed, fs.ErrInvalid,
// os.ErrDeadlineExceeded, os.ErrProcessDone, exec.ErrNotFound, exec.ErrDot and errors.ErrUnsupported.
func Register(name string, err error) error {
	if err == nil || name == "" || !reflect.ValueOf(err).Comparable() {
		return errors.New("remote: Register needs a name and a comparable error, got " + strconv.Quote(name))
	}
	if sentinel(name) != nil || nameOf(err) != "" {
		return errors.New("remote: the name " + strconv.Quote(name) + " or its error is known already")
	}
	added.Lock()
	defer added.Unlock()
	for _, r := range added.list {
		if r.name == name || r.err == err {
			return errors.New("remote: the name " + strconv.Quote(name) + " or its error is known already")
		}
	}
	added.list = append(added.list, registered{name, err})
	return nil
}

// standard lists the sentinels of the standard library, for i from zero until the name is empty. A switch needs no work
// when the process starts.
func standard(i int) (name string, err error) {
	switch i {
	case 0:
		return "io.EOF", io.EOF
	case 1:
		return "io.ErrUnexpectedEOF", io.ErrUnexpectedEOF
	case 2:
		return "io.ErrClosedPipe", io.ErrClosedPipe
	case 3:
		return "context.Canceled", context.Canceled
	case 4:
		return "context.DeadlineExceeded", context.DeadlineExceeded
	case 5:
		return "fs.ErrNotExist", fs.ErrNotExist
	case 6:
		return "fs.ErrExist", fs.ErrExist
	case 7:
		return "fs.ErrPermission", fs.ErrPermission
	case 8:
		return "fs.ErrClosed", fs.ErrClosed
	case 9:
		return "fs.ErrInvalid", fs.ErrInvalid
	case 10:
		return "os.ErrDeadlineExceeded", os.ErrDeadlineExceeded
	case 11:
		return "os.ErrProcessDone", os.ErrProcessDone
	case 12:
		return "exec.ErrNotFound", exec.ErrNotFound
	case 13:
		return "exec.ErrDot", exec.ErrDot
	case 14:
		return "errors.ErrUnsupported", errors.ErrUnsupported
	}
	return "", nil
}

// sentinel is the error of that name; nil where none is known.
func sentinel(name string) error {
	return find(func(n string, _ error) bool { return n == name }).err
}

// nameOf is the name of a sentinel; empty where err is none. What cannot be compared cannot be one.
func nameOf(err error) string {
	if !reflect.ValueOf(err).Comparable() {
		return ""
	}
	return find(func(_ string, e error) bool { return e == err }).name
}

// firstName is the name of the first sentinel that is accepts.
func firstName(is func(error) bool) string {
	return find(func(_ string, e error) bool { return is(e) }).name
}

func find(match func(string, error) bool) registered {
	for i := 0; ; i++ {
		name, err := standard(i)
		if name == "" {
			break
		}
		if match(name, err) {
			return registered{name, err}
		}
	}
	added.RLock()
	list := added.list
	added.RUnlock()
	for _, r := range list {
		if match(r.name, r.err) {
			return r
		}
	}
	return registered{}
}
