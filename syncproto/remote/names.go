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

// maxErrno is larger than every errno that programs see on any architecture, <asm-generic/errno.h>, with room for new
// ones.
const maxErrno = 255

// errnoName returns the kernel's name of an error, or the empty string for an unknown number.
func errnoName(no syscall.Errno) string { return unix.ErrnoName(no) }

// errnoOf returns the error with that name, or zero if this architecture has none. A few errors have two names, of
// which errnoName knows only one.
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

// Registered sentinels. A slice is enough: there are few, and a program may end with the first error that it reports.
var added struct {
	sync.RWMutex
	list []registered
}

// Register makes a sentinel known by a name, such as "example.com/app.ErrBusy", in this process; the other process must
// register it under the same name. Then an error that is err there is err here too, according to errors.Is. The name
// and the error must both be new, and the error must be comparable, as errors.Is requires.
//
// These are known by the names of their packages without Register: io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe,
// context.Canceled, context.DeadlineExceeded, fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrClosed,
// fs.ErrInvalid, os.ErrDeadlineExceeded, os.ErrProcessDone, exec.ErrNotFound, exec.ErrDot and errors.ErrUnsupported.
func Register(name string, err error) error {
	if err == nil || name == "" || !reflect.ValueOf(err).Comparable() {
		return errors.New("remote: Register needs a name and a comparable error, got " + strconv.Quote(name))
	}
	if sentinelByName(name) != nil || sentinelName(err) != "" {
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

// standardSentinel lists the sentinels of the standard library, for i from zero until the name is empty. Unlike a map,
// a switch needs no initialization when the process starts.
func standardSentinel(i int) (name string, err error) {
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

// sentinelByName returns the error with that name, or nil if it is unknown.
func sentinelByName(name string) error {
	return findRegistered(func(n string, _ error) bool { return n == name }).err
}

// sentinelName returns the name of a sentinel, or the empty string if err is not one. An error that is not comparable
// cannot be one.
func sentinelName(err error) string {
	if !reflect.ValueOf(err).Comparable() {
		return ""
	}
	return findRegistered(func(_ string, e error) bool { return e == err }).name
}

// firstMatchingName returns the name of the first sentinel for which the function returns true.
func firstMatchingName(is func(error) bool) string {
	return findRegistered(func(_ string, e error) bool { return is(e) }).name
}

func findRegistered(match func(string, error) bool) registered {
	for i := 0; ; i++ {
		name, err := standardSentinel(i)
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
