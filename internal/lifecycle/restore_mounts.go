package lifecycle

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/criu/plan"
	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// mountPoints is the work of one call of restoration.mountPoints.
type mountPoints struct {
	root    *sys.Root
	path    string       // of the root
	host    []plan.Mount // of this mount namespace
	covered []plan.Bind  // file systems whose content is in the image, mount points included: as configured, and where
	mounted []string     // what was mounted meanwhile
	binds   []plan.Bind
	parts   []plan.Bind // of binds
}

// mountPoints makes the mount points that are missing in the root file system, as a create does, and returns the
// binds from the host, each at the place where it really is: a link in a destination is followed below the root.
// Meanwhile every bind is mounted, because there may be mount points in it.
func (c *restoration) mountPoints(rootPath string) (_ []plan.Bind, err error) {
	fd, err := unix.Open(rootPath, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: rootPath, Err: err}
	}
	w := mountPoints{root: sys.NewRoot(fd, rootPath), path: rootPath}
	defer w.root.Close()
	if w.host, err = mountsOf("self"); err != nil {
		return nil, err
	}
	defer func() { err = Join(err, w.unmount()) }()
	for i := range c.plan.Spawn.Container.Mounts {
		m := &c.plan.Spawn.Container.Mounts[i]
		switch {
		case m.Remount:
		case m.Link != "":
			if _, covered := w.cover(m.Destination); !covered {
				err = w.root.Symlink(m.Link, m.Destination)
			}
		case m.Cgroup != nil: // its mount point is in the image, or comes with that of /sys
			if !c.ownCgroups() {
				w.addCgroups(m)
			}
		case m.Bind:
			err = w.addBind(m)
		default:
			err = w.addFileSystem(m)
		}
		if err != nil {
			return nil, fmt.Errorf("mount point %s: %w", m.Destination, err)
		}
	}
	for _, p := range c.plan.Spawn.Container.Readonly {
		if err := w.addPart(p); err != nil {
			return nil, fmt.Errorf("read-only path %s: %w", p, err)
		}
	}
	return append(w.binds, w.parts...), nil
}

// ownCgroups reports whether the container gets a cgroup namespace.
func (c *restoration) ownCgroups() bool {
	for _, n := range c.plan.Spawn.Namespaces {
		if n.Kind == container.NSCgroup {
			return true
		}
	}
	return false
}

func (w *mountPoints) addCgroups(m *container.Mount) {
	for _, h := range m.Cgroup.Hierarchies {
		w.binds = append(w.binds, plan.Bind{Destination: path.Join(m.Destination, h.Name), Source: h.Path})
	}
}

func (w *mountPoints) addFileSystem(m *container.Mount) error {
	if _, covered := w.cover(m.Destination); covered {
		return nil
	}
	fd, err := w.root.MkdirAll(m.Destination, 0o755)
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	at, err := w.inRoot(fd)
	if err != nil {
		return err
	}
	w.covered = append(w.covered, plan.Bind{Destination: at, Source: at})
	if written := path.Clean(m.Destination); written != at {
		w.covered = append(w.covered, plan.Bind{Destination: written, Source: at})
	}
	return nil
}

// cover returns where a path is that a covered file system hides in the root. Links in its content are not known.
func (w *mountPoints) cover(p string) (at string, covered bool) {
	in, rest, covered := plan.Part(p, w.covered)
	return path.Join(in, rest), covered
}

func (w *mountPoints) addBind(m *container.Mount) error {
	at, covered := w.cover(m.Destination)
	if !covered {
		var err error
		if at, err = w.bind(m); err != nil {
			return err
		}
	}
	w.binds = append(w.binds, plan.Bind{Destination: at, Source: m.Source})
	if m.Recursive {
		w.binds = append(w.binds, plan.Submounts(m.Source, at, w.host)...)
	}
	return nil
}

// bind makes the mount point and mounts the source there. It returns the place, relative to the root.
func (w *mountPoints) bind(m *container.Mount) (at string, err error) {
	var st unix.Stat_t
	if err := unix.Stat(m.Source, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: m.Source, Err: err}
	}
	open := w.root.CreateFile
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		open = func(p string) (int, error) { return w.root.MkdirAll(p, 0o755) }
	}
	fd, err := open(m.Destination)
	if err != nil {
		return "", err
	}
	defer sys.Close(fd)
	if at, err = w.inRoot(fd); err != nil {
		return "", err
	}
	if at == "/" {
		return "", fmt.Errorf("it is the root itself: %w", unix.EINVAL)
	}
	if err := unix.Mount(m.Source, procfsLink(fd), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return "", &os.PathError{Op: "mount MS_BIND", Path: m.Source, Err: err}
	}
	w.mounted = append(w.mounted, w.path+at)
	return at, nil
}

// inRoot returns the path of an open file below the root, with "/" for the root.
func (w *mountPoints) inRoot(fd int) (string, error) {
	real, err := os.Readlink(procfsLink(fd))
	if err != nil {
		return "", err
	}
	at, below := strings.CutPrefix(real, w.path)
	if !below || at != "" && at[0] != '/' {
		return "", fmt.Errorf("it is %s, which is not below the root: %w", real, unix.EXDEV)
	}
	return path.Join("/", at), nil
}

func procfsLink(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// addPart adds the bind of a read-only path, if it is in a bind of the host: it is a mount of its own. Others write to
// that place, so links there are followed below it alone. A path that is missing is not made read-only by a create.
func (w *mountPoints) addPart(p string) error {
	if at, covered := w.cover(p); covered {
		p = at
	} else {
		fd, err := w.root.Path(p)
		if missing(err) {
			return nil
		}
		if err != nil {
			return err
		}
		defer sys.Close(fd)
		if p, err = w.inRoot(fd); err != nil {
			return err
		}
	}
	source, rest, found := plan.Part(p, w.binds)
	if !found {
		return nil
	}
	dir, err := unix.Open(source, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: source, Err: err}
	}
	root := sys.NewRoot(dir, source)
	defer root.Close()
	fd, err := root.Path(rest)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	real, err := os.Readlink(procfsLink(fd))
	if err != nil {
		return err
	}
	w.parts = append(w.parts, plan.Bind{Destination: p, Source: real})
	return nil
}

// missing reports whether an error says that there is no such path.
func missing(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) }

// unmount removes what bind has mounted, the last first.
func (w *mountPoints) unmount() error {
	var errs []error
	for i := len(w.mounted) - 1; i >= 0; i-- {
		if err := unix.Unmount(w.mounted[i], unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			errs = append(errs, &os.PathError{Op: "umount", Path: w.mounted[i], Err: err})
		}
	}
	return Join(errs...)
}

// spareNotifyDir gives a container whose readiness was told once the directory of its socket again: it has that
// mounted, and nobody waits for a message any more.
func (c *restoration) spareNotifyDir() (plan.Bind, error) {
	dir := c.dir.Path(notifyDir)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return plan.Bind{}, err
	}
	return plan.Bind{Destination: notifyInside, Source: dir}, nil
}
