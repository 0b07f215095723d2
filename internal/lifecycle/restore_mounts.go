package lifecycle

import (
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
	covered []string     // destinations of file systems whose content is in the image, mount points included
	mounted []string     // what was mounted meanwhile
	binds   []plan.Bind
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
	return append(w.binds, plan.Parts(c.plan.Spawn.Container.Readonly, w.binds)...), nil
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
	if plan.Below(m.Destination, w.covered) {
		return nil
	}
	fd, err := w.root.MkdirAll(m.Destination, 0o755)
	if err != nil {
		return err
	}
	sys.Close(fd)
	w.covered = append(w.covered, m.Destination)
	return nil
}

func (w *mountPoints) addBind(m *container.Mount) error {
	at := path.Clean(m.Destination)
	if !plan.Below(at, w.covered) {
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
	link := "/proc/self/fd/" + strconv.Itoa(fd)
	place, err := os.Readlink(link)
	if err != nil {
		return "", err
	}
	at, below := strings.CutPrefix(place, w.path)
	if !below || at == "" {
		return "", fmt.Errorf("it is %s, which is not below the root: %w", place, unix.EXDEV)
	}
	if err := unix.Mount(m.Source, link, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return "", &os.PathError{Op: "mount MS_BIND", Path: m.Source, Err: err}
	}
	w.mounted = append(w.mounted, place)
	return at, nil
}

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
