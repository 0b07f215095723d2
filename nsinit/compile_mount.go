//go:build amd64 || arm64

package nsinit

import (
	"fmt"
	"path"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// This file compiles the steps between the first mount and the new root. Each compile method does the same as the
// do method of its step, and gives up where do would need another way.

func (propagationStep) compile(c *compiler) error {
	p, recursive := hostPropagation(c.cfg.Root.Propagation)
	c.setAttr(smallchild.Int(unix.AT_FDCWD), "/", recursive, 0, 0, p)
	return nil
}

func (s rootfsStep) compile(c *compiler) error {
	if !c.has(container.NSMount) {
		return fmt.Errorf("no mount namespace: %w", ErrWhole)
	}
	m := c.Mark()
	defer c.Release(m)
	target := c.Reg()
	i := c.openHost(s.path, justDir).Into(target)
	if c.has(container.NSUser) {
		c.elsewhere(i, target)
	}
	c.unshareMount(target, s.path)
	if err := c.source(s.path, true, c.root); err != nil {
		return err
	}
	c.attach(c.root, target)
	return nil
}

// elsewhere opens "/" as the place for the root if the process, which is in a user namespace, cannot walk the root's
// own path: if i fails.
func (c *compiler) elsewhere(i *smallchild.Instr, target smallchild.Reg) {
	c.onSlash = c.Scratch(8)
	unreachable, opened := c.Label(), c.Label()
	i.On(unreachable, unix.EACCES)
	c.Jump(opened)
	c.Place(unreachable)
	c.openHost("/", justDir).Into(target)
	c.setFlag(c.onSlash)
	c.Place(opened)
}

// unshareMount compiles unshareMount, for a propagation that has made every mount a shared one. The mount's root is at
// most as far up as the path has components, unless they are links: then it gives up.
func (c *compiler) unshareMount(target smallchild.Reg, p string) {
	if !sharesAll(c.cfg.Root.Propagation) {
		return
	}
	above, own, found, done := c.Reg(), c.Label(), c.Label(), c.Label()
	st := c.Scratch(int(unsafe.Sizeof(unix.Statx_t{})))
	ifRoot := func(fd smallchild.Reg, to smallchild.Label) {
		c.Call("statx", unix.SYS_STATX, smallchild.Val(fd), c.Str(""), smallchild.Int(unix.AT_EMPTY_PATH),
			smallchild.Int(unix.STATX_MNT_ID), st.At(0))
		c.IfMem(st.At(statxAttributes), unix.STATX_ATTR_MOUNT_ROOT, unix.STATX_ATTR_MOUNT_ROOT, to)
	}
	ifRoot(target, own)
	for at, n := target, strings.Count(path.Clean(p), "/"); n > 0 && c.Err() == nil; at, n = above, n-1 {
		c.Call("openat", unix.SYS_OPENAT, smallchild.Val(at), c.Str(".."), smallchild.Int(justDir|unix.O_CLOEXEC),
			smallchild.Int(0)).Into(above)
		ifRoot(above, found)
	}
	c.GiveUp()
	c.Place(own)
	c.setAttr(smallchild.Val(target), "", false, 0, 0, unix.MS_PRIVATE)
	c.Jump(done)
	c.Place(found)
	c.setAttr(smallchild.Val(above), "", false, 0, 0, unix.MS_PRIVATE)
	c.Place(done)
}

// openHost opens a path in the file system of the runtime.
func (c *compiler) openHost(p string, flags int) *smallchild.Instr {
	return c.Call("openat", unix.SYS_OPENAT, smallchild.Int(unix.AT_FDCWD), c.Str(p),
		smallchild.Int(flags|unix.O_CLOEXEC), smallchild.Int(0))
}

func (c *compiler) has(kind string) bool { return (&planner{cfg: c.cfg}).has(kind) }

func (s mountStep) compile(c *compiler) error {
	m := s.mount
	dest := path.Clean(m.Destination)
	if err := checkProcPath(m, dest); err != nil {
		return err
	}
	if m.Remount || m.IDs != nil && !m.Bind || m.CopyUp && m.Type != "tmpfs" || dest == "/proc" && m.Bind {
		return fmt.Errorf("remount, a bind on /proc or ids of a new file system: %w", ErrWhole)
	}
	mark := c.Mark()
	defer c.Release(mark)
	if m.Type == "proc" || m.Type == "sysfs" {
		c.plainDirectory(dest)
	}
	switch {
	case m.Link != "":
		c.newLink(m.Link, dest)
		return nil
	case m.Cgroup != nil:
		return c.cgroup(m, dest)
	case m.Bind:
		return c.bind(m, dest)
	}
	return c.fileSystem(m, dest)
}

// newLink makes a link, and gives up if there is something in its place. A later mount may cover the directory, so it
// is not the one that c.directory keeps.
func (c *compiler) newLink(text, dest string) {
	dir := c.Reg()
	c.mkdirAll(path.Dir(dest), dir)
	c.Call("symlinkat", unix.SYS_SYMLINKAT, c.Str(text), smallchild.Val(dir), c.Str(path.Base(dest)))
}

// plainDirectory gives up if there is a link in place of a directory.
func (c *compiler) plainDirectory(dest string) {
	fd, missing := c.Reg(), c.Label()
	c.open(dest, unix.O_PATH|unix.O_NOFOLLOW, inRoot).Into(fd).On(missing, unix.ENOENT)
	c.fstat(smallchild.Val(fd))
	c.require(func(ok smallchild.Label) { c.ifKind(unix.S_IFDIR, ok) })
	c.Place(missing)
}

func (c *compiler) fileSystem(m *container.Mount, dest string) error {
	if !sys.FitsFsconfig(m.Source, m.Data) {
		return fmt.Errorf("options of more than fsconfig(2) takes: %w", ErrWhole)
	}
	attr := m.Set
	if lateReadonly(m) {
		attr &^= unix.MOUNT_ATTR_RDONLY
	}
	var mode *smallchild.Memory
	if m.Type == "tmpfs" {
		mode = new(c.coveredMode(dest))
	}
	tree, target := c.Reg(), c.Reg()
	refused, made := c.Label(), c.Label()
	if m.Type != "sysfs" {
		c.newFS(m.Type, m.Source, m.FSFlags, m.Data, attr, mode, tree, never)
	} else {
		c.newFS(m.Type, m.Source, m.FSFlags, m.Data, attr, mode, tree, func(i *smallchild.Instr) *smallchild.Instr {
			return i.On(refused, unix.EPERM)
		})
		c.Jump(made)
		c.Place(refused)
		// As boundSys.
		if err := c.source("/sys", true, tree); err != nil {
			return err
		}
		c.setAttr(smallchild.Val(tree), "", true, m.Set, 0, 0)
	}
	c.Place(made)
	if m.CopyUp {
		c.copyUp(tree, dest, m.Data)
	}
	c.mkdirAll(dest, target)
	c.attach(tree, target)
	c.finish(tree, m)
	return nil
}

// coveredMode returns the mode of the directory that a tmpfs will cover, as text. The text is empty if there is no
// such directory.
func (c *compiler) coveredMode(dest string) smallchild.Memory {
	text, fd, missing := c.Scratch(8), c.Reg(), c.Label()
	c.open(dest, justDir, inRoot).Into(fd).On(missing)
	c.fstat(smallchild.Val(fd))
	c.Octal(text.At(0), c.stat.At(statMode))
	c.Place(missing)
	return text
}

// finish compiles finishMount.
func (c *compiler) finish(tree smallchild.Reg, m *container.Mount) {
	if m.RecSet|m.RecClear != 0 {
		c.setAttr(smallchild.Val(tree), "", true, m.RecSet, m.RecClear, 0)
	}
	for _, p := range propagations(m.Propagation) {
		c.setAttr(smallchild.Val(tree), "", m.Propagation&unix.MS_REC != 0, 0, 0, p)
	}
}

func (c *compiler) bind(m *container.Mount, dest string) error {
	tree, target := c.Reg(), c.Reg()
	if err := c.bindSource(m, tree); err != nil {
		return err
	}
	c.fstat(smallchild.Val(tree))
	if set, clear := bindAttrs(m); set|clear != 0 {
		c.setAttr(smallchild.Val(tree), "", false, set, clear, 0)
	}
	directory, placed := c.Label(), c.Label()
	c.ifKind(unix.S_IFDIR, directory)
	c.createFile(dest, target)
	c.Jump(placed)
	c.Place(directory)
	c.mkdirAll(dest, target)
	c.Place(placed)
	c.attach(tree, target)
	c.finish(tree, m)
	return nil
}

// cgroup compiles mountCgroup.
func (c *compiler) cgroup(m *container.Mount, dest string) error {
	if m.Cgroup.Version == 2 {
		if len(m.Cgroup.Hierarchies) != 1 {
			return fmt.Errorf("a cgroup2 mount of %d hierarchies: %w", len(m.Cgroup.Hierarchies), ErrWhole)
		}
		h := m.Cgroup.Hierarchies[0]
		h.V2, h.Options = true, strings.Join(m.Data, ",")
		target := c.Reg()
		c.mkdirAll(dest, target)
		return c.hierarchy(&h, m.Set, target)
	}
	base, target := c.Reg(), c.Reg()
	c.newFS("tmpfs", "tmpfs", nil, []string{"mode=755", "size=0k"}, m.Set&^unix.MOUNT_ATTR_RDONLY, nil, base, never)
	c.mkdirAll(dest, target)
	c.attach(base, target)
	for _, h := range m.Cgroup.Hierarchies {
		if h.V2 {
			h.Options = ""
		}
		if strings.Contains(h.Name, "/") || h.Name == "" {
			return fmt.Errorf("hierarchy name %q: %w", h.Name, ErrWhole)
		}
		mark := c.Mark()
		at := c.Reg()
		c.makeDir(base, h.Name)
		c.Call("openat", unix.SYS_OPENAT, smallchild.Val(base), c.Str(h.Name),
			smallchild.Int(justDir|unix.O_NOFOLLOW|unix.O_CLOEXEC), smallchild.Int(0)).Into(at)
		if err := c.hierarchy(&h, m.Set, at); err != nil {
			return err
		}
		for _, l := range h.Links {
			c.symlink(h.Name, base, path.Base(l))
		}
		c.Release(mark)
	}
	if m.Set&unix.MOUNT_ATTR_RDONLY != 0 {
		c.setAttr(smallchild.Val(base), "", false, unix.MOUNT_ATTR_RDONLY, 0, 0)
	}
	return nil
}

// symlink makes a link unless the name exists already.
func (c *compiler) symlink(target string, dir smallchild.Reg, name string) {
	there := c.Label()
	c.Call("symlinkat", unix.SYS_SYMLINKAT, c.Str(target), smallchild.Val(dir), c.Str(name)).On(there, unix.EEXIST)
	c.Place(there)
}

// hierarchy compiles mountHierarchy.
func (c *compiler) hierarchy(h *container.CgroupEntry, attr uint64, target smallchild.Reg) error {
	tree, refused, ready := c.Reg(), c.Label(), c.Label()
	if c.has(container.NSCgroup) {
		kind := "cgroup"
		if h.V2 {
			kind = "cgroup2"
		}
		var options []string
		if h.Options != "" {
			options = strings.Split(h.Options, ",")
		}
		c.newFS(kind, "cgroup", nil, options, attr, nil, tree, func(i *smallchild.Instr) *smallchild.Instr {
			return i.On(refused, unix.EPERM, unix.EBUSY)
		})
		c.Jump(ready)
	}
	c.Place(refused)
	if err := c.source(h.Path, false, tree); err != nil {
		return err
	}
	c.setAttr(smallchild.Val(tree), "", false, attr, 0, 0)
	c.Place(ready)
	c.attach(tree, target)
	return nil
}

func (s deviceStep) compile(c *compiler) error {
	m := c.Mark()
	defer c.Release(m)
	d := s.device
	p := path.Clean(d.Path)
	kind := deviceType(d.Type)
	dir, exists, done := c.directory(path.Dir(p)), c.Label(), c.Label()
	bound := c.has(container.NSUser) && kind != unix.S_IFIFO
	i := c.Call("mknodat", unix.SYS_MKNODAT, smallchild.Val(dir), c.Str(path.Base(p)),
		smallchild.Int(kind|d.Mode&0o7777), smallchild.Int(unix.Mkdev(d.Major, d.Minor)))
	if bound {
		i.On(exists, unix.EEXIST, unix.EPERM)
	} else {
		i.On(exists, unix.EEXIST)
	}
	if d.UID != 0 || d.GID != 0 {
		fd := c.node(dir, p, d)
		c.Call("fchownat", unix.SYS_FCHOWNAT, smallchild.Val(fd), c.Str(""), smallchild.Int(d.UID), smallchild.Int(d.GID),
			smallchild.Int(unix.AT_EMPTY_PATH))
	}
	c.Jump(done)
	c.Place(exists)
	refused := c.Label()
	if bound {
		c.IfReg(smallchild.Errno, uint64(unix.EPERM), refused)
	}
	c.node(dir, p, d)
	if bound {
		c.Jump(done)
		c.Place(refused)
		if err := c.bindDevice(p, d); err != nil {
			return err
		}
	}
	c.Place(done)
	return nil
}

// bindDevice compiles bindDevice for a process in a user namespace.
func (c *compiler) bindDevice(p string, d *container.Device) error {
	tree, target, absent, present := c.Reg(), c.Reg(), c.Label(), c.Label()
	c.IfMem(c.onSlash.At(0), 1, 1, absent)
	c.cloneTree(smallchild.Int(unix.AT_FDCWD), p, false, tree).On(absent, unix.ENOENT, unix.EACCES, unix.EPERM)
	c.fstat(smallchild.Val(tree))
	c.ifDevice(d, present)
	c.Place(absent)
	if err := c.ask(container.MountArg{Source: p}, tree); err != nil {
		return err
	}
	c.fstat(smallchild.Val(tree))
	c.require(func(ok smallchild.Label) { c.ifDevice(d, ok) })
	c.Place(present)
	c.createFile(p, target)
	c.attach(tree, target)
	return nil
}

// node opens the node of a device and gives up if it is a different device.
func (c *compiler) node(dir smallchild.Reg, p string, d *container.Device) smallchild.Reg {
	fd := c.Reg()
	c.Call("openat", unix.SYS_OPENAT, smallchild.Val(dir), c.Str(path.Base(p)),
		smallchild.Int(unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC), smallchild.Int(0)).Into(fd)
	c.fstat(smallchild.Val(fd))
	c.require(func(ok smallchild.Label) { c.ifDevice(d, ok) })
	return fd
}

// ifDevice jumps if the last fstat found this device.
func (c *compiler) ifDevice(d *container.Device, to smallchild.Label) {
	if d.Type == "p" {
		c.ifKind(unix.S_IFIFO, to)
		return
	}
	kind, no := c.Label(), c.Label()
	c.ifKind(uint64(deviceType(d.Type)), kind)
	c.Jump(no)
	c.Place(kind)
	c.IfMem(c.stat.At(statRdev), ^uint64(0), unix.Mkdev(d.Major, d.Minor), to)
	c.Place(no)
}

func (s linkStep) compile(c *compiler) error {
	m := c.Mark()
	defer c.Release(m)
	dir, done := c.directory(path.Dir(s.path)), c.Label()
	if s.target == "/proc/kcore" {
		fd := c.Reg()
		c.open(s.target, unix.O_PATH, inRoot).Into(fd).On(done)
	}
	i := c.Call("symlinkat", unix.SYS_SYMLINKAT, c.Str(s.target), smallchild.Val(dir), c.Str(path.Base(s.path)))
	// What the image or a mount put there stays, except ptmx, which only a whole child replaces.
	if s.path != "/dev/ptmx" {
		there := c.Label()
		i.On(there, unix.EEXIST)
		c.Place(there)
	}
	c.Place(done)
	return nil
}

func (s cwdStep) compile(c *compiler) error {
	m := c.Mark()
	defer c.Release(m)
	fd, there, done := c.Reg(), c.Label(), c.Label()
	// If the directory is missing and cannot be made, a whole child decides what to do.
	c.open(s.path, justDir, inRoot).Into(fd).On(there, unix.EACCES)
	c.Jump(done)
	c.Place(there)
	c.Place(done)
	return nil
}

func (s lateStep) compile(c *compiler) error {
	m := c.Mark()
	defer c.Release(m)
	fd := c.Reg()
	c.open(s.path, justDir, inRoot).Into(fd)
	c.setAttr(smallchild.Val(fd), "", false, unix.MOUNT_ATTR_RDONLY, 0, 0)
	return nil
}

func (s pivotStep) compile(c *compiler) error {
	if s.how != "pivot_root" {
		return fmt.Errorf("%s: %w", s.how, ErrWhole)
	}
	m := c.Mark()
	defer c.Release(m)
	old := c.Reg()
	dot := c.Str(".")
	const theOld = "the old root"
	name := c.cfg.Root.Path
	c.Call("fchdir", unix.SYS_FCHDIR, smallchild.Val(c.root))
	c.says("fchdir", name)
	c.openHost("/", justDir).Into(old)
	c.says("open", "/")
	c.Call("pivot_root", unix.SYS_PIVOT_ROOT, dot, dot)
	c.says("pivot_root", name)
	c.setAttr(smallchild.Val(old), "", true, 0, 0, unix.MS_SLAVE)
	c.says("mount_setattr", theOld)
	c.Call("umount2", unix.SYS_UMOUNT2, dot, smallchild.Int(unix.MNT_DETACH))
	c.says("umount", theOld)
	c.Call("chdir", unix.SYS_CHDIR, c.Str("/"))
	c.says("chdir", "/")
	c.openHost("/", justDir).Into(c.root)
	c.says("open", "/")
	return nil
}

func (rootModeStep) compile(c *compiler) error {
	if p := rootPropagation(c.cfg.Root.Propagation); p != 0 {
		c.setAttr(smallchild.Val(c.root), "", false, 0, 0, p)
		c.says("mount_setattr", "/")
	}
	if c.cfg.Root.Readonly {
		c.setAttr(smallchild.Val(c.root), "", false, unix.MOUNT_ATTR_RDONLY, 0, 0)
		c.says("mount_setattr", "/")
	}
	return nil
}

func (s readonlyStep) compile(c *compiler) error {
	m := c.Mark()
	defer c.Release(m)
	fd, tree, missing := c.Reg(), c.Reg(), c.Label()
	c.open(s.path, unix.O_PATH, inRoot).Into(fd).On(missing, unix.ENOENT, unix.ENOTDIR)
	c.says("open", s.path)
	c.cloneTree(smallchild.Val(fd), "", true, tree)
	c.setAttr(smallchild.Val(tree), "", false, unix.MOUNT_ATTR_RDONLY, 0, 0)
	c.attach(tree, fd)
	c.Place(missing)
	return nil
}

func (s maskStep) compile(c *compiler) error {
	c.covers()
	m := c.Mark()
	defer c.Release(m)
	fd, tree, missing, directory, ready := c.Reg(), c.Reg(), c.Label(), c.Label(), c.Label()
	c.open(s.path, unix.O_PATH, inRoot).Into(fd).On(missing, unix.ENOENT, unix.ENOTDIR)
	c.says("open", s.path)
	c.fstat(smallchild.Val(fd))
	c.ifKind(unix.S_IFDIR, directory)
	c.cloneTree(smallchild.Val(c.null), "", false, tree)
	c.says("open_tree", "/dev/null")
	c.Jump(ready)
	c.Place(directory)
	// The first masked directory gets the file system's own mount, and the others get copies of it: see emptyDir.
	again, covered := c.Label(), c.Label()
	c.IfMem(c.attached.At(0), 1, 1, again)
	c.attach(c.empty, fd)
	c.setFlag(c.attached)
	c.Jump(covered)
	c.Place(again)
	c.cloneTree(smallchild.Val(c.empty), "", false, tree)
	c.says("open_tree", "an empty directory")
	c.Place(ready)
	c.attach(tree, fd)
	c.Place(covered)
	c.Place(missing)
	return nil
}

// covers makes what is mounted over masked paths, once: the null device, which is checked, and an empty directory.
func (c *compiler) covers() {
	if c.masked {
		return
	}
	c.masked = true
	c.attached = c.Scratch(8)
	c.open("/dev/null", unix.O_PATH|unix.O_NOFOLLOW, inRoot).Into(c.null)
	c.fstat(smallchild.Val(c.null))
	c.require(func(ok smallchild.Label) { c.ifNull(ok) })
	const attr = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	c.newFS("tmpfs", "tmpfs", []string{"ro"}, []string{"size=0k", "mode=0755"}, attr, nil, c.empty, never)
}

// ifNull jumps if the last fstat found the null device.
func (c *compiler) ifNull(to smallchild.Label) {
	c.ifDevice(&container.Device{Type: "c", Major: 1, Minor: 3}, to)
}
