package nsinit

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// mountStep makes or changes one mount.
type mountStep struct{ mount *container.Mount }

func (mountStep) stage() stage        { return stageMount }
func (s mountStep) detail() string    { return strings.Join(describeMount(s.mount), " ") }
func (s mountStep) do(c *child) error { return c.mount(s.mount) }

// lateStep makes a tmpfs read-only after everything in it is made.
type lateStep struct{ path string }

func (lateStep) stage() stage        { return stageLate }
func (s lateStep) detail() string    { return s.path }
func (s lateStep) do(c *child) error { return c.lateReadonly(s.path) }

// mount makes one mount. It first makes the mount without attaching it anywhere, then opens the mount point once,
// below the root, and then attaches the mount there by descriptor.
func (c *child) mount(m *container.Mount) error {
	dest := path.Clean(m.Destination)
	if m.Remount {
		return c.remount(m, dest)
	}
	if err := c.checkProc(m, dest); err != nil {
		return err
	}
	switch {
	case m.Link != "":
		return c.root.Symlink(m.Link, dest)
	case m.Cgroup != nil:
		return c.mountCgroup(m, dest)
	case m.Bind:
		return c.bind(m, dest)
	}
	tree, err := c.newFS(m, dest)
	if err != nil {
		return err
	}
	defer sys.Close(tree)
	target, err := c.root.MkdirAll(dest, 0o755)
	if err != nil {
		return err
	}
	defer sys.Close(target)
	if err := sys.Attach(tree, target, dest); err != nil {
		return err
	}
	c.made.note(tree, dest)
	if c.relabels(m) {
		if err := relabel(tree, dest, c.cfg.MountLabel); err != nil {
			return err
		}
	}
	return finishMount(tree, m, dest)
}

// relabel gives an SELinux label to the root of a file system.
func relabel(tree int, dest, label string) error {
	fd, err := unix.Openat(tree, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return op("open", dest, err)
	}
	defer sys.Close(fd)
	return op("fsetxattr security.selinux", dest, unix.Fsetxattr(fd, "security.selinux", []byte(label), 0))
}

// finishMount applies the attributes for the whole tree, and the propagation, which only an attached mount can
// have.
func finishMount(tree int, m *container.Mount, dest string) error {
	if m.RecSet|m.RecClear != 0 {
		if err := sys.SetAttr(tree, dest, true, m.RecSet, m.RecClear, 0); err != nil {
			return err
		}
	}
	for _, p := range propagations(m.Propagation) {
		if err := sys.SetAttr(tree, dest, m.Propagation&unix.MS_REC != 0, 0, 0, p); err != nil {
			return err
		}
	}
	return nil
}

// newFS makes the file system of a mount that is not a bind mount.
func (c *child) newFS(m *container.Mount, dest string) (int, error) {
	if m.IDs != nil {
		return c.mappedFS(m, dest)
	}
	data, attr := m.Data, m.Set
	if m.Type == "tmpfs" {
		data = c.tmpfsMode(dest, data)
	}
	data = c.labelled(m.Type, data)
	if lateReadonly(m) {
		attr &^= unix.MOUNT_ATTR_RDONLY
	}
	tree, err := c.makeFS(m, data, attr)
	if m.Type == "sysfs" && errors.Is(err, unix.EPERM) {
		// sysfs belongs to the owner of the network namespace. For a user namespace without a network namespace of
		// its own, that is somebody else, so the host's sysfs is bound in place.
		return c.boundSys(m)
	}
	if err != nil || !m.CopyUp {
		return tree, err
	}
	if err := c.copyUp(tree, dest, m.Data); err != nil {
		sys.Close(tree)
		return -1, err
	}
	return tree, nil
}

// makeFS makes a file system by the method that takes its options, however long they are: fsconfig(2) takes values
// of up to 255 bytes, mount(2) takes one page for all options.
func (c *child) makeFS(m *container.Mount, data []string, attr uint64) (int, error) {
	if sys.FitsFsconfig(m.Source, data) {
		return sys.NewFS(m.Type, m.Source, m.FSFlags, data, attr)
	}
	text := data
	if m.Type == "overlay" {
		text = escapeCommas(data)
	}
	text = c.quoted(text)
	tree, err := sys.NewFSByMount(c.root.FD(), m.Type, m.Source, m.FSFlags, text, attr)
	if !errors.Is(err, unix.E2BIG) || m.Type != "overlay" {
		return tree, err
	}
	if layers := layerOptions(data); sys.FitsFsconfig(m.Source, layers) {
		return sys.NewFS(m.Type, m.Source, m.FSFlags, layers, attr)
	}
	return tree, err
}

// lateReadonly makes the tmpfs at a path read-only.
func (c *child) lateReadonly(dest string) error {
	fd, err := c.root.Dir(dest)
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	return sys.SetAttr(fd, dest, false, unix.MOUNT_ATTR_RDONLY, 0, 0)
}

func (c *child) boundSys(m *container.Mount) (int, error) {
	tree, err := c.source("/sys", true)
	if err != nil {
		return -1, err
	}
	if err := sys.SetAttr(tree, "/sys", true, m.Set, 0, 0); err != nil {
		sys.Close(tree)
		return -1, err
	}
	return tree, nil
}

// tmpfsMode gives a tmpfs the mode of the directory that it covers, unless the configuration specifies a mode. So
// /tmp stays sticky.
func (c *child) tmpfsMode(dest string, data []string) []string {
	mode, found := c.coveredMode(dest)
	if !found {
		return data
	}
	return append([]string{"mode=" + strconv.FormatUint(uint64(mode), 8)}, data...)
}

// coveredMode returns the mode of the directory that a mount will cover.
func (c *child) coveredMode(dest string) (mode uint32, found bool) {
	fd, err := c.root.Dir(dest)
	if err != nil {
		return 0, false
	}
	defer sys.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0, false
	}
	return st.Mode & 0o7777, true
}

// bind mounts a path of the host.
func (c *child) bind(m *container.Mount, dest string) error {
	tree, err := c.bindSource(m)
	if err != nil {
		return err
	}
	defer sys.Close(tree)
	var st unix.Stat_t
	if err := unix.Fstat(tree, &st); err != nil {
		return op("fstat", m.Source, err)
	}
	if dest == "/proc" {
		if magic, err := sys.FSType(tree); err != nil || magic != unix.PROC_SUPER_MAGIC {
			return fmt.Errorf("%s may only be a procfs, and %s is none: %w", dest, m.Source, unix.EINVAL)
		}
	}
	if err := setBindAttr(tree, m); err != nil {
		return err
	}
	target, err := c.place(dest, st.Mode&unix.S_IFMT == unix.S_IFDIR)
	if err != nil {
		return err
	}
	defer sys.Close(target)
	if err := sys.Attach(tree, target, dest); err != nil {
		return err
	}
	return finishMount(tree, m, dest)
}

// bindSource returns a detached mount of what a bind mount shows.
func (c *child) bindSource(m *container.Mount) (int, error) {
	if m.IDs == nil {
		return c.namedSource(m.Source, m.Recursive)
	}
	return c.mappedSource(m)
}

// mappedSource returns a mount with IDs, which the parent makes.
func (c *child) mappedSource(m *container.Mount) (int, error) {
	for i := range c.cfg.Mounts {
		if m == &c.cfg.Mounts[i] {
			return c.ask(container.MountArg{Source: m.Source, Recursive: m.Recursive, Mount: i + 1})
		}
	}
	return -1, fmt.Errorf("%s: ids are for a mount of the configuration alone: %w", m.Source, unix.EINVAL)
}

// mappedFS returns a new file system with IDs. A tmpfs gets the mode of the covered directory only now, if this
// process may change the root of the tmpfs.
func (c *child) mappedFS(m *container.Mount, dest string) (int, error) {
	tree, err := c.mappedSource(m)
	if err != nil || m.Type != "tmpfs" {
		return tree, err
	}
	if mode, found := c.coveredMode(dest); found && !hasOption(m.Data, "mode=") {
		_ = unix.Fchmodat(tree, ".", mode, 0)
	}
	if m.CopyUp {
		err = c.copyUp(tree, dest, m.Data)
	}
	if err != nil {
		sys.Close(tree)
		return -1, err
	}
	return tree, nil
}

// place opens the mount point, and makes it if it is missing.
func (c *child) place(dest string, directory bool) (int, error) {
	if directory {
		return c.root.MkdirAll(dest, 0o755)
	}
	return c.root.CreateFile(dest)
}

// setBindAttr sets and clears the attributes of a bind mount. In a user namespace, the attributes of the source's
// mount are locked, mount_namespaces(7). Then an attribute that no option names stays as it is, and an option that
// would change a locked attribute is an error.
func setBindAttr(tree int, m *container.Mount) error {
	set, clear := bindAttrs(m)
	if set|clear == 0 {
		return nil
	}
	err := sys.SetAttr(tree, m.Source, false, set, clear, 0)
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	have, e := sys.Attrs(tree)
	if e != nil {
		return errors.Join(err, e)
	}
	set, clear, refused := lockedAttrs(m, have)
	if refused != 0 {
		const text = "%s is %s on the host, which a user namespace may not change to %s " +
			"(leave the option out to keep it): %w"
		return fmt.Errorf(text, m.Source, attrNames(have, refused), attrNames(m.Set, refused), unix.EPERM)
	}
	return sys.SetAttr(tree, m.Source, false, set, clear, 0)
}

// checkProc refuses mounts that would replace procfs or hide its files: the files on which the runtime and the
// kernel's protections rely must be the kernel's own (CVE-2019-16884, CVE-2019-19921).
func (c *child) checkProc(m *container.Mount, dest string) error {
	if m.Type == "proc" || m.Type == "sysfs" {
		if err := c.plainDirectory(dest); err != nil {
			return err
		}
	}
	return checkProcPath(m, dest)
}

// checkProcPath is the part of checkProc that depends only on the configuration.
func checkProcPath(m *container.Mount, dest string) error {
	if dest == "/proc" && m.Type != "proc" && !m.Bind {
		return fmt.Errorf("%s may only be a procfs, not %s: %w", dest, m.Type, unix.EINVAL)
	}
	if !strings.HasPrefix(dest, "/proc/") || m.Type == "proc" {
		return nil
	}
	for _, ok := range [...]string{"cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo",
		"sys/kernel/ns_last_pid", "sys/crypto/fips_enabled"} {
		if dest == "/proc/"+ok {
			return nil
		}
	}
	return fmt.Errorf("%s is inside /proc and not among the files that may be covered there: %w", dest, unix.EINVAL)
}

// plainDirectory refuses a link in place of a directory.
func (c *child) plainDirectory(dest string) error {
	fd, err := c.root.Open(dest, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return op("fstat", dest, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return fmt.Errorf("%s must be mounted on ordinary directory: %w", dest, unix.ENOTDIR)
	}
	return nil
}
