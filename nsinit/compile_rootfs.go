//go:build amd64 || arm64

package nsinit

import (
	"fmt"
	"path"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/syncproto/container"
)

// This file compiles the steps for the root file system, from its propagation to what is hidden in it.

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
