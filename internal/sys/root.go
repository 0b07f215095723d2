package sys

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks bounds how many dangling links MkdirAll follows, as the kernel bounds a path's links (path_resolution(7)).
const maxLinks = 40

// resolveFlags keep a path below its root: absolute links and ".." start again at it, and links of procfs, which lead anywhere, are refused (openat2(2)).
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

// Open opens p below the root. The caller owns the descriptor, which is CLOEXEC. EAGAIN, which openat2(2) answers where a rename raced with "..", is tried again a
// bounded number of times.
func (r *Root) Open(p string, flags int, mode uint32) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Mode: uint64(mode), Resolve: resolveFlags}
	fd := -1
	var err error
	for try := 0; try < 128; try++ {
		err = retry(func() (err error) {
			fd, err = unix.Openat2(r.fd, relative(p), &how)
			return err
		})
		if err != unix.EAGAIN {
			break
		}
	}
	if err != nil {
		return -1, fail("open", p, err)
	}
	return fd, nil
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

// MkdirAll opens the directory p below the root, and makes what is missing of it, one component after another, each below the one before. A link whose target is
// missing is followed below the root, and the target made.
func (r *Root) MkdirAll(p string, mode uint32) (int, error) {
	links := maxLinks
	return r.mkdirAll(path.Clean("/"+p), mode, &links)
}

func (r *Root) mkdirAll(p string, mode uint32, links *int) (int, error) {
	fd, err := r.Dir(p)
	if err == nil || !is(err, unix.ENOENT) || p == "/" {
		return fd, err
	}
	parent, err := r.mkdirAll(path.Dir(p), mode, links)
	if err != nil {
		return -1, err
	}
	defer Close(parent)
	base := path.Base(p)
	if err := unix.Mkdirat(parent, base, mode); err == unix.EEXIST {
		return r.throughLink(parent, p, mode, links)
	} else if err != nil {
		return -1, fail("mkdir", p, err)
	}
	fd, err = unix.Openat(parent, base, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	return fd, fail("open", p, err)
}

// throughLink makes the target of a link that leads nowhere yet. Something else at p has come to be meanwhile, or is no directory: opening it says which.
func (r *Root) throughLink(parent int, p string, mode uint32, links *int) (int, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(parent, path.Base(p), buf)
	if err != nil {
		return r.Dir(p)
	}
	if *links--; *links < 0 {
		return -1, fail("mkdir", p, unix.ELOOP)
	}
	target := string(buf[:n])
	if !path.IsAbs(target) {
		target = path.Join(path.Dir(p), target)
	}
	return r.mkdirAll(path.Clean("/"+target), mode, links)
}

// CreateFile opens the file p below the root as a bare path and makes it, empty, if it is missing, together with its directory. Whatever is there already, device or
// socket, is fine: it is a place to mount over.
func (r *Root) CreateFile(p string) (int, error) {
	fd, err := r.Path(p)
	if err == nil || !is(err, unix.ENOENT) {
		return fd, err
	}
	dir, err := r.MkdirAll(path.Dir(path.Clean("/"+p)), 0o755)
	if err != nil {
		return -1, err
	}
	defer Close(dir)
	// mknod and not open: O_CREAT would follow a link at the last component.
	if err := unix.Mknodat(dir, path.Base(p), unix.S_IFREG|0o644, 0); err != nil && err != unix.EEXIST {
		return -1, fail("create", p, err)
	}
	fd, err = unix.Openat(dir, path.Base(p), unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fail("open", p, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT == unix.S_IFLNK {
		Close(fd)
		return -1, fail("create", p, unix.ELOOP)
	}
	return fd, nil
}

// is reports whether err is an *Error of errno.
func is(err error, errno unix.Errno) bool {
	e, ok := err.(*Error)
	return ok && e.Err == errno
}

// Beneath opens p below dir and in the same mount: no link, no magic link, no other file system. It is for procfs, where something mounted over a file is an attack.
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
