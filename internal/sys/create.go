package sys

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks bounds how many links the creation of one path follows, as the kernel bounds a path's (path_resolution(7)).
// So often, too, it looks again where something has come to be, or has gone, while it looked.
const maxLinks = 40

// walk is the creation of one path below a root: what openat2(2) would resolve, a component at a time, and made where
// it is missing. Only descriptors are walked on, each opened below the one before without following a link; a link's
// text is taken apart into components that are walked as any other, and ".." leads back to a directory that was walked
// through, never above the root.
type walk struct {
	root    *Root
	name    string   // what was asked for
	dir     int      // where the walk is; owned
	at      []string // the names that led there from the root, none of them a link when it was walked
	rest    []string // what is still to be walked
	mode    uint32   // of directories that are made
	isDir   bool     // the last component is made as a directory, else as a file
	retries int      // what is left of maxLinks
}

// create opens p, which is missing or leads to something missing, and makes it. The caller owns the descriptor.
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

// components are the names of a path, without those that mean nothing.
func components(p string) []string {
	var names []string
	for name := range strings.SplitSeq(p, "/") {
		if name != "" && name != "." {
			names = append(names, name)
		}
	}
	return names
}

// path is where the walk is, for errors.
func (w *walk) path(name string) string { return "/" + path.Join(append(w.at, name)...) }

// up goes back to the directory before. It is opened anew from the root, by names that were no links: if one has become
// a link meanwhile, this fails.
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

// step walks one component, and makes it if it is missing.
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
			// mknod and not open: O_CREAT would follow a link that has come to be here.
			err = unix.Mknodat(w.dir, name, unix.S_IFREG|0o644, 0)
		} else {
			err = unix.Mkdirat(w.dir, name, w.mode)
		}
		if err != nil && err != unix.EEXIST {
			return fail("create", w.path(name), err)
		}
		if err := w.again(name); err != nil {
			return err
		}
	}
}

// into makes fd, which was opened as name, the place of the walk, or goes on with what the link says that it is.
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

// readlink is the text of the link fd. The links of procfs are refused, for some of them lead anywhere whatever their
// text says, and nothing can be made there.
func (w *walk) readlink(fd int, name string) (string, error) {
	if magic, err := FSType(fd); err != nil || magic == unix.PROC_SUPER_MAGIC {
		return "", fail("open", w.path(name), unix.ELOOP)
	}
	if err := w.again(name); err != nil {
		return "", err
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return "", fail("readlink", w.path(name), err)
	}
	return string(buf[:n]), nil
}

// again counts the links and the second looks of the walk.
func (w *walk) again(name string) error {
	if w.retries--; w.retries < 0 {
		return fail("create", w.name+" (at "+w.path(name)+")", unix.ELOOP)
	}
	return nil
}
