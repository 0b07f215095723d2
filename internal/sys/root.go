package sys

import (
	"strings"

	"golang.org/x/sys/unix"
)

// resolveFlags keep a path below its root: absolute links and ".." start again at it, and links of procfs, which lead
// anywhere, are refused (openat2(2)).
const resolveFlags = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS

// Root is a directory that paths are resolved below, whatever links its content holds. It owns its descriptor.
type Root struct {
	fd   int
	name string
}

// NewRoot takes fd, a descriptor of a directory (O_PATH will do).
func NewRoot(fd int, name string) *Root { return &Root{fd: fd, name: name} }

// FD is the root's descriptor, which the Root keeps.
func (r *Root) FD() int { return r.fd }

// Close closes the root.
func (r *Root) Close() { Close(r.fd) }

// Open opens p below the root. The caller owns the descriptor, which is CLOEXEC.
func (r *Root) Open(p string, flags int, mode uint32) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Mode: uint64(mode), Resolve: resolveFlags}
	fd, err := openat2(r.fd, relative(p), &how)
	if err != nil {
		return -1, fail("open", p, err)
	}
	return fd, nil
}

// openat2 is openat2(2), tried again a bounded number of times where it says EAGAIN: a rename raced with "..".
func openat2(dir int, p string, how *unix.OpenHow) (fd int, err error) {
	for range 128 {
		err = retry(func() (err error) {
			fd, err = unix.Openat2(dir, p, how)
			return err
		})
		if err != unix.EAGAIN {
			break
		}
	}
	return fd, err
}

// relative is p as openat2 wants it below a root: "/" is ".".
func relative(p string) string {
	if p = strings.TrimLeft(p, "/"); p == "" {
		return "."
	}
	return p
}

// Path opens p below the root as a bare path: nothing of the file itself is opened, no device woken.
func (r *Root) Path(p string) (int, error) { return r.Open(p, unix.O_PATH, 0) }

// Dir opens the directory p below the root as a bare path.
func (r *Root) Dir(p string) (int, error) { return r.Open(p, unix.O_PATH|unix.O_DIRECTORY, 0) }

// MkdirAll opens the directory p below the root, and makes what is missing of it with mode, one component after
// another, each below the one before. A link whose target is missing is followed below the root, and the target made.
func (r *Root) MkdirAll(p string, mode uint32) (int, error) {
	fd, err := r.Dir(p)
	if err == nil || !is(err, unix.ENOENT) {
		return fd, err
	}
	return r.create(p, mode, true)
}

// CreateFile opens the file p below the root as a bare path and makes it, empty, if it is missing, together with its
// directory; a link whose target is missing is followed below the root, and the target made. Whatever is there already,
// device or socket, is fine: it is a place to mount over.
func (r *Root) CreateFile(p string) (int, error) {
	fd, err := r.Path(p)
	if err == nil || !is(err, unix.ENOENT) {
		return fd, err
	}
	return r.create(p, 0o755, false)
}

// is reports whether err is an *Error of errno.
func is(err error, errno unix.Errno) bool {
	e, ok := err.(*Error)
	return ok && e.Err == errno
}

// Beneath opens p below dir and in the same mount: no link, no magic link, no other file system. It is for procfs,
// where something mounted over a file is an attack.
func Beneath(dir int, p string, flags int) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	fd := -1
	err := retry(func() (err error) {
		fd, err = unix.Openat2(dir, p, &how)
		return err
	})
	if err != nil {
		return -1, fail("open", p, err)
	}
	return fd, nil
}
