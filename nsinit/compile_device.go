//go:build amd64 || arm64

package nsinit

import (
	"path"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/syncproto/container"
)

// This file compiles the steps for device nodes, links and the working directory.

// symlink makes a link unless the name exists already.
func (c *compiler) symlink(target string, dir smallchild.Reg, name string) {
	there := c.Label()
	c.Call("symlinkat", unix.SYS_SYMLINKAT, c.Str(target), smallchild.Val(dir), c.Str(name)).On(there, unix.EEXIST)
	c.Place(there)
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
