package sys

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks limits the links that the creation of one path follows, like the kernel's limit for a path
// (path_resolution(7)). It also limits the retries if a file has appeared or disappeared meanwhile.
const maxLinks = 40

// walk is the creation of one path below a root. It resolves the path as openat2(2) would, one component at a time, and
// creates missing ones. It only uses descriptors, each opened below the previous one without following a link. The text
// of a link is split into components that are walked like any others. ".." leads back to a directory that was passed
// before, and never above the root.
type walk struct {
	root    *Root
	name    string   // the requested path
	dir     int      // the current directory; owned
	at      []string // the names from the root to it, none of them a link when it was walked
	rest    []string // the components still to walk
	mode    uint32   // of new directories
	isDir   bool     // the last component is created as a directory, else as a file
	retries int      // remaining ones of maxLinks
}

// create creates p, which is missing or leads to something missing, and opens it. The caller owns the descriptor.
func (r *Root) create(p string, mode uint32, isDir bool) (int, error) {
	w := &walk{root: r, name: p, rest: components(p), mode: mode, isDir: isDir, retries: maxLinks}
	var err error
	if w.dir, err = r.Dir("/"); err != nil {
		return -1, err
	}
	for len(w.rest) > 0 {
		next := w.rest[0]
		w.rest = w.rest[1:]
		if next == ".." {
			err = w.up()
		} else {
			err = w.step(next)
		}
		if err != nil {
			Close(w.dir)
			return -1, err
		}
	}
	return w.dir, nil
}

// components returns the names in a path, without empty ones and ".".
func components(p string) []string {
	var names []string
	for name := range strings.SplitSeq(p, "/") {
		if name != "" && name != "." {
			names = append(names, name)
		}
	}
	return names
}

// path returns the path of name in the current directory, for errors.
func (w *walk) path(name string) string { return "/" + path.Join(append(w.at, name)...) }

// up goes back to the parent directory. It opens it again from the root, by names that were not links: if one has
// become a link meanwhile, this fails.
func (w *walk) up() error {
	if len(w.at) == 0 {
		return nil
	}
	at := w.at[:len(w.at)-1]
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: resolveFlags | unix.RESOLVE_NO_SYMLINKS,
	}
	fd, err := openat2(w.root.fd, relative(path.Join(at...)), &how)
	if err != nil {
		return fail("open", "/"+path.Join(at...), err)
	}
	w.enter(fd, at)
	return nil
}

func (w *walk) enter(fd int, at []string) {
	Close(w.dir)
	w.dir, w.at = fd, at
}

// step walks one component, and creates it if it is missing.
func (w *walk) step(name string) error {
	last := len(w.rest) == 0
	for {
		fd, err := unix.Openat(w.dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		switch err {
		case nil:
			return w.into(fd, name, last)
		case unix.EINTR:
			continue
		case unix.ENOENT:
		default:
			return fail("open", w.path(name), err)
		}
		if last && !w.isDir {
			// mknod instead of open, because O_CREAT would follow a link that has appeared here.
			err = unix.Mknodat(w.dir, name, unix.S_IFREG|0o644, 0)
		} else {
			err = unix.Mkdirat(w.dir, name, w.mode)
		}
		if err != nil && err != unix.EEXIST {
			return fail("create", w.path(name), err)
		}
		if err := w.countRetry(name); err != nil {
			return err
		}
	}
}

// into continues the walk at fd, which was opened as name, or at the target if it is a link.
func (w *walk) into(fd int, name string, last bool) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		Close(fd)
		return fail("fstat", w.path(name), err)
	}
	kind := st.Mode & unix.S_IFMT
	switch {
	case kind == unix.S_IFLNK:
		target, err := w.readlink(fd, name)
		Close(fd)
		if err != nil {
			return err
		}
		if strings.HasPrefix(target, "/") {
			root, err := w.root.Dir("/")
			if err != nil {
				return err
			}
			w.enter(root, nil)
		}
		w.rest = append(components(target), w.rest...)
		return nil
	case kind != unix.S_IFDIR && (!last || w.isDir):
		Close(fd)
		return fail("open", w.path(name), unix.ENOTDIR)
	}
	w.enter(fd, append(w.at[:len(w.at):len(w.at)], name))
	return nil
}

// readlink returns the text of the link fd. Links of procfs are an error, because some of them lead anywhere whatever
// their text says, and nothing can be created there.
func (w *walk) readlink(fd int, name string) (string, error) {
	if magic, err := FSType(fd); err != nil || magic == unix.PROC_SUPER_MAGIC {
		return "", fail("open", w.path(name), unix.ELOOP)
	}
	if err := w.countRetry(name); err != nil {
		return "", err
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return "", fail("readlink", w.path(name), err)
	}
	return string(buf[:n]), nil
}

// countRetry counts a link or a retry, and fails after maxLinks.
func (w *walk) countRetry(name string) error {
	if w.retries--; w.retries < 0 {
		return fail("create", w.name+" (at "+w.path(name)+")", unix.ELOOP)
	}
	return nil
}
