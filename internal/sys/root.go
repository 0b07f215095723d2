package sys

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// resolveFlags keep a path below its root: absolute links and ".." cannot leave it, and links of procfs, which can lead
// anywhere, fail (openat2(2)).
const resolveFlags = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS

// Root is a directory below which paths are resolved, whatever links it contains. It owns its descriptor.
type Root struct {
	fd   int
	name string
}

// NewRoot takes fd, a descriptor of a directory (O_PATH is enough).
func NewRoot(fd int, name string) *Root { return &Root{fd: fd, name: name} }

// FD returns the root's descriptor, which the Root keeps.
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

// openat2 calls openat2(2), and retries a limited number of times after EAGAIN, which means that a rename raced with
// "..".
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

// relative returns p in the form that openat2 needs below a root: "/" becomes ".".
func relative(p string) string {
	if p = strings.TrimLeft(p, "/"); p == "" {
		return "."
	}
	return p
}

// Path opens p below the root with O_PATH, which does not open the file itself and so cannot trigger a device.
func (r *Root) Path(p string) (int, error) { return r.Open(p, unix.O_PATH, 0) }

// Dir opens the directory p below the root with O_PATH.
func (r *Root) Dir(p string) (int, error) { return r.Open(p, unix.O_PATH|unix.O_DIRECTORY, 0) }

// MkdirAll opens the directory p below the root, and creates its missing components with mode, one after another, each
// below the one before. A link to a missing target is followed below the root, and the target created.
func (r *Root) MkdirAll(p string, mode uint32) (int, error) {
	fd, err := r.Dir(p)
	if err == nil || !is(err, unix.ENOENT) {
		return fd, err
	}
	return r.create(p, mode, true)
}

// CreateFile opens the file p below the root with O_PATH. If it is missing, it is created, empty, together with its
// directory; a link to a missing target is followed below the root, and the target created. An existing file can be of
// any type, because it only serves as a mount point.
func (r *Root) CreateFile(p string) (int, error) {
	fd, err := r.Path(p)
	if err == nil || !is(err, unix.ENOENT) {
		return fd, err
	}
	return r.create(p, 0o755, false)
}

// Symlink makes the link p with this text below the root, together with its directory, by the rules of MkdirAll. A link
// with the same text that is there already is kept; anything else in its place is EEXIST.
func (r *Root) Symlink(text, p string) error {
	dir, err := r.MkdirAll(path.Dir(p), 0o755)
	if err != nil {
		return err
	}
	defer Close(dir)
	err = unix.Symlinkat(text, dir, path.Base(p))
	if err == unix.EEXIST {
		buf := make([]byte, len(text)+1) // one more than a link with the same text
		if n, e := unix.Readlinkat(dir, path.Base(p), buf); e == nil && string(buf[:n]) == text {
			return nil
		}
	}
	if err != nil {
		return fail("symlink", p, err)
	}
	return nil
}

// is reports whether err is an *Error with errno.
func is(err error, errno unix.Errno) bool {
	e, ok := err.(*Error)
	return ok && e.Err == errno
}

// Beneath opens p below dir, on the same mount: it follows no link and no magic link, and enters no other file system.
// It is for procfs, where a mount over a file is an attack.
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
