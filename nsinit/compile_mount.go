//go:build amd64 || arm64

package nsinit

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// This file compiles the steps for mounts. Each compile method does the same as the do method of its step, and gives up
// where do would need another way.

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

func (s lateStep) compile(c *compiler) error {
	m := c.Mark()
	defer c.Release(m)
	fd := c.Reg()
	c.open(s.path, justDir, inRoot).Into(fd)
	c.setAttr(smallchild.Val(fd), "", false, unix.MOUNT_ATTR_RDONLY, 0, 0)
	return nil
}
