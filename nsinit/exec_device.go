package nsinit

import (
	"errors"
	"fmt"
	"path"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

func deviceType(t string) uint32 {
	switch t {
	case "c":
		return unix.S_IFCHR
	case "b":
		return unix.S_IFBLK
	case "p":
		return unix.S_IFIFO
	}
	return 0
}

// deviceStep makes one device node.
type deviceStep struct{ device *container.Device }

func (deviceStep) stage() stage        { return stageDevice }
func (s deviceStep) do(c *child) error { return c.device(s.device) }

func (s deviceStep) detail() string {
	d := s.device
	return fmt.Sprintf("%s %s %d:%d mode %o", d.Path, d.Type, d.Major, d.Minor, d.Mode)
}

// linkStep makes one of the standard links in /dev.
type linkStep struct{ path, target string }

func (linkStep) stage() stage        { return stageLink }
func (s linkStep) detail() string    { return s.path + " " + s.target }
func (s linkStep) do(c *child) error { return c.link(s.path, s.target) }

// cwdStep makes the working directory.
type cwdStep struct{ path string }

func (cwdStep) stage() stage        { return stageCwd }
func (s cwdStep) detail() string    { return s.path }
func (s cwdStep) do(c *child) error { return c.makeCwd(s.path) }

// device makes a node. If nodes cannot be made (in a user namespace, or on a file system mounted nodev), it binds
// the node of the host.
func (c *child) device(d *container.Device) error {
	p := path.Clean(d.Path)
	dir, err := c.root.MkdirAll(path.Dir(p), 0o755)
	if err != nil {
		return err
	}
	defer sys.Close(dir)
	kind := deviceType(d.Type)
	err = unix.Mknodat(dir, path.Base(p), kind|d.Mode&0o7777, int(unix.Mkdev(d.Major, d.Minor)))
	switch {
	case err == unix.EEXIST:
		return c.existing(dir, p, d)
	case err == unix.EPERM && kind != unix.S_IFIFO:
		return c.bindDevice(p, d)
	case err != nil:
		return op("mknod", p, err)
	}
	if d.UID == 0 && d.GID == 0 {
		return nil // it has its owner, and also its mode, because the umask is empty during the setup
	}
	return setOwner(dir, p, d)
}

// setOwner sets the owner of a new node. It opens the node without following links, so it changes the node that was
// made.
func setOwner(dir int, p string, d *container.Device) error {
	fd, err := unix.Openat(dir, path.Base(p), unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return op("open", p, err)
	}
	defer sys.Close(fd)
	if err := matches(fd, p, d); err != nil {
		return err
	}
	return op("chown", p, unix.Fchownat(fd, "", int(d.UID), int(d.GID), unix.AT_EMPTY_PATH))
}

// existing accepts a node that exists already if it is the requested device.
func (c *child) existing(dir int, p string, d *container.Device) error {
	fd, err := unix.Openat(dir, path.Base(p), unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return op("open", p, err)
	}
	defer sys.Close(fd)
	return matches(fd, p, d)
}

func matches(fd int, p string, d *container.Device) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return op("fstat", p, err)
	}
	if st.Mode&unix.S_IFMT != deviceType(d.Type) || d.Type != "p" && st.Rdev != unix.Mkdev(d.Major, d.Minor) {
		return fmt.Errorf("%s exists and is not the device %s %d:%d: %w", p, d.Type, d.Major, d.Minor, unix.EEXIST)
	}
	return nil
}

// bindDevice mounts the host's node of the same path over an empty file. If the host has no such node and this
// process is in a user namespace, its parent, which is not in that namespace, makes the node.
func (c *child) bindDevice(p string, d *container.Device) error {
	tree, err := c.namedSource(p, false)
	if err == nil && c.hasNamespace(container.NSUser) && matches(tree, p, d) != nil {
		sys.Close(tree)
		err = unix.ENOENT
	}
	if errors.Is(err, unix.ENOENT) && c.hasNamespace(container.NSUser) {
		tree, err = c.fromParent(p, false)
	}
	if err != nil {
		return err
	}
	defer sys.Close(tree)
	if err := matches(tree, p+" on the host", d); err != nil {
		return err
	}
	target, err := c.root.CreateFile(p)
	if err != nil {
		return err
	}
	defer sys.Close(target)
	return sys.Attach(tree, target, p)
}

// link makes one of the standard links in /dev. It opens the directory below the root, so a /dev that is a link
// leads nowhere outside the root (CVE-2026-41579).
func (c *child) link(p, target string) error {
	if target == "/proc/kcore" && !c.exists(target) {
		return nil
	}
	dir, err := c.root.MkdirAll(path.Dir(p), 0o755)
	if err != nil {
		return err
	}
	defer sys.Close(dir)
	base := path.Base(p)
	err = unix.Symlinkat(target, dir, base)
	if err != unix.EEXIST {
		return op("symlink", p, err)
	}
	buf := make([]byte, len(target)+1)
	if n, err := unix.Readlinkat(dir, base, buf); err == nil && string(buf[:n]) == target {
		return nil
	}
	if p != "/dev/ptmx" {
		return nil // what the image or a mount put there stays
	}
	// ptmx must be the one of the container's own devpts: the node of another instance would open terminals in that
	// instance.
	if err := unix.Unlinkat(dir, base, 0); err != nil {
		return op("unlink", p, err)
	}
	return op("symlink", p, unix.Symlinkat(target, dir, base))
}

func (c *child) exists(p string) bool {
	fd, err := c.root.Path(p)
	if err != nil {
		return false
	}
	sys.Close(fd)
	return true
}

// makeCwd makes the working directory while the process is still root, and before a read-only root prevents it.
func (c *child) makeCwd(p string) error {
	fd, err := c.root.MkdirAll(p, 0o755)
	if errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES) {
		return nil // the user may still be able to enter it; if not, chdir reports it
	}
	if err != nil {
		return err
	}
	sys.Close(fd)
	return nil
}
