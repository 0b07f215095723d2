//go:build amd64 || arm64

package nsinit

import (
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallchild"
)

// smallCopyDepth is the depth to which the small child descends into directories: its program has a loop for each.
const smallCopyDepth = 4

// copyUp compiles copyUp. It gives up for what is rare in a directory that a tmpfs covers: extended attributes, more
// than smallCopyDepth directories one in the other, and files of more than two gigabytes.
func (c *compiler) copyUp(tree smallchild.Reg, dest string, options []string) {
	m := c.Mark()
	defer c.Release(m)
	from, missing, unmapped := c.Reg(), c.Label(), c.Label()
	c.open(dest, unix.O_RDONLY|unix.O_DIRECTORY, inRoot).Into(from).On(missing, unix.ENOENT)
	c.fstat(smallchild.Val(from))
	owner := func(option string, offset int) smallchild.Arg {
		if hasOption(options, option) {
			return smallchild.Int(-1)
		}
		return c.load(offset, ^uint32(0))
	}
	uid, gid := owner("uid=", statUID), owner("gid=", statGID)
	c.Call("fchownat", unix.SYS_FCHOWNAT, smallchild.Val(tree), c.Str(""), uid, gid,
		smallchild.Int(unix.AT_EMPTY_PATH)).On(unmapped, unix.EINVAL)
	c.Place(unmapped)
	c.copyDir(from, tree, 0)
	c.Call("close", unix.SYS_CLOSE, smallchild.Val(from))
	c.Call("chdir", unix.SYS_CHDIR, c.Str("/")) // copyXattrs changes the working directory
	c.Place(missing)
}

// load returns a register with 32 bits of the last fstat, under a mask.
func (c *compiler) load(offset int, mask uint32) smallchild.Arg {
	r := c.Reg()
	c.Load(r, c.stat.At(offset), c.Bytes(smallchild.Words(uint64(mask)), "number"))
	return smallchild.Val(r)
}

// copyDir compiles copyDir.
func (c *compiler) copyDir(from, to smallchild.Reg, depth int) {
	name, again, done := c.Reg(), c.Label(), c.Label()
	c.Place(again)
	c.Entry(from, depth, name, done)
	c.copyEntry(smallchild.Val(from), smallchild.Val(to), smallchild.Val(name), depth)
	c.Jump(again)
	c.Place(done)
}

// copyEntry compiles copyEntry.
func (c *compiler) copyEntry(from, to, name smallchild.Arg, depth int) {
	m := c.Mark()
	defer c.Release(m)
	c.CheckParent()
	noFollow := smallchild.Int(unix.AT_SYMLINK_NOFOLLOW)
	c.Call("fstatat", unix.SYS_NEWFSTATAT, from, name, c.stat.At(0), noFollow)
	uid, gid, mode := c.load(statUID, ^uint32(0)), c.load(statGID, ^uint32(0)), c.load(statMode, 0o7777)
	directory, file, link, copied, owned := c.Label(), c.Label(), c.Label(), c.Label(), c.Label()
	c.ifKind(unix.S_IFDIR, directory)
	c.ifKind(unix.S_IFREG, file)
	c.ifKind(unix.S_IFLNK, link)
	c.copyNode(to, name)
	c.Jump(copied)
	c.Place(file)
	c.copyFile(from, to, name)
	c.Jump(copied)
	c.Place(directory)
	if depth+1 < smallCopyDepth {
		c.copySubdir(from, to, name, depth)
		c.Jump(copied)
	} else {
		c.GiveUp()
	}
	c.Place(link)
	size := c.Reg()
	c.Call("readlinkat", unix.SYS_READLINKAT, from, name, c.path.At(0), smallchild.Int(unix.PathMax-1)).Into(size)
	c.Cut(c.path.At(0), size)
	c.Call("symlinkat", unix.SYS_SYMLINKAT, c.path.At(0), to, name)
	c.Call("fchownat", unix.SYS_FCHOWNAT, to, name, uid, gid, noFollow)
	c.Jump(owned)
	c.Place(copied)
	c.Call("fchownat", unix.SYS_FCHOWNAT, to, name, uid, gid, noFollow)
	c.Call("fchmodat", unix.SYS_FCHMODAT, to, name, mode)
	c.Place(owned)
	c.requireNoXattrs(from, name)
}

// requireNoXattrs gives up if a file has extended attributes. As in copyXattrs, its name is relative to the working
// directory.
func (c *compiler) requireNoXattrs(dir, name smallchild.Arg) {
	size, none := c.Reg(), c.Label()
	c.Call("fchdir", unix.SYS_FCHDIR, dir)
	c.Call("llistxattr", unix.SYS_LLISTXATTR, name, smallchild.Int(0), smallchild.Int(0)).Into(size).
		On(none, unix.EOPNOTSUPP)
	c.require(func(ok smallchild.Label) { c.IfReg(size, 0, ok) })
	c.Place(none)
}

// copyNode makes what is neither a directory nor a regular file nor a link.
func (c *compiler) copyNode(to, name smallchild.Arg) {
	number := func(n uint64) smallchild.Arg { return c.Bytes(smallchild.Words(n), "number") }
	kind, made := c.Scratch(8), c.Reg()
	c.And(kind.At(0), c.stat.At(statMode), number(unix.S_IFMT))
	c.Or(kind.At(0), kind.At(0), number(0o600))
	c.Load(made, kind.At(0), number(^uint64(0)))
	c.Call("mknodat", unix.SYS_MKNODAT, to, name, smallchild.Val(made), c.load(statRdev, ^uint32(0)))
}

// copyFile compiles copyFile.
func (c *compiler) copyFile(from, to, name smallchild.Arg) {
	const most = 0x7ffff000 // bytes that one call copies, sendfile(2)
	in, out, size, none := c.Reg(), c.Reg(), c.Reg(), smallchild.Int(0)
	c.Call("openat", unix.SYS_OPENAT, from, name,
		smallchild.Int(unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC), none).Into(in)
	c.Call("openat", unix.SYS_OPENAT, to, name, smallchild.Int(unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC),
		smallchild.Int(0o600)).Into(out)
	for range 2 { // up to the end, and whether that is it
		c.Call("sendfile", unix.SYS_SENDFILE, smallchild.Val(out), smallchild.Val(in), none, smallchild.Int(most)).Into(size)
	}
	c.require(func(ok smallchild.Label) { c.IfReg(size, 0, ok) })
	c.Call("close", unix.SYS_CLOSE, smallchild.Val(in))
	c.Call("close", unix.SYS_CLOSE, smallchild.Val(out))
}

// copySubdir compiles copySubdir.
func (c *compiler) copySubdir(from, to, name smallchild.Arg, depth int) {
	in, out := c.Reg(), c.Reg()
	c.Call("mkdirat", unix.SYS_MKDIRAT, to, name, smallchild.Int(0o700))
	open := func(dir smallchild.Arg, into smallchild.Reg) {
		c.Call("openat", unix.SYS_OPENAT, dir, name,
			smallchild.Int(unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC), smallchild.Int(0)).Into(into)
	}
	open(from, in)
	open(to, out)
	c.copyDir(in, out, depth+1)
	c.Call("close", unix.SYS_CLOSE, smallchild.Val(in))
	c.Call("close", unix.SYS_CLOSE, smallchild.Val(out))
}
