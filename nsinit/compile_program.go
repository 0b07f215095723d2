//go:build amd64 || arm64

package nsinit

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallchild"
)

// This file compiles the step that finds the program, and checks the interpreters that files name.

func (s programStep) compile(c *compiler) error {
	if err := c.find(s.name); err != nil {
		return err
	}
	if !c.requested {
		c.checkInterpreters(smallchild.Val(c.program), inProcess{c})
	}
	return nil
}

// find finds the program and puts its path into c.program.
func (c *compiler) find(name string) error {
	found := c.Label()
	if strings.Contains(name, "/") {
		c.requireExecutable(name)
		c.paths = []string{name}
		c.Set(c.program, c.Str(name))
		return nil
	}
	for _, dir := range strings.Split(variableOf(c.env, "PATH"), ":") {
		if !path.IsAbs(dir) {
			return fmt.Errorf("a PATH with %q: %w", dir, ErrWhole)
		}
		if err := c.Err(); err != nil { // a PATH of thousands of directories
			return err
		}
		p, next := dir+"/"+name, c.Label()
		c.executable(p, next)
		c.Set(c.program, c.Str(p))
		c.Jump(found)
		c.Place(next)
		if !slices.Contains(c.paths, p) {
			c.paths = append(c.paths, p)
		}
	}
	c.GiveUp()
	c.blame(func(unix.Errno) error { return notInPath(name) })
	c.Place(found)
	return nil
}

// checkInterpreters gives up if the interpreter or loader of the program is missing, so that a whole child reports
// its name. It also gives up for a script whose interpreter is itself a script.
func (c *compiler) checkInterpreters(program smallchild.Arg, in finder) {
	const (
		files    = 2 // the program, and its interpreter if that is a script, too
		headSize = 1024
	)
	num := smallchild.Int[int]
	m := c.Mark()
	defer c.Release(m)
	fd, size, kind, done := c.Reg(), c.Reg(), c.Reg(), c.Label()
	head, name := c.Scratch(headSize), c.Scratch(headSize+8)
	for range files {
		next := c.Label()
		in.open(program).Into(fd).On(done)
		c.Call("pread64", unix.SYS_PREAD64, smallchild.Val(fd), head.At(0), num(headSize), num(0)).Into(size)
		c.Call("close", unix.SYS_CLOSE, smallchild.Val(fd))
		c.Names(head.At(0), size, name.At(0), kind)
		c.IfReg(kind, smallchild.NamesNone, done)
		in.stat(name.At(0))
		c.IfReg(kind, smallchild.NamesLoader, done)
		c.ifKind(unix.S_IFREG, next)
		c.Jump(done)
		c.Place(next)
		program = name.At(0)
	}
	c.GiveUp()
	c.Place(done)
}

// finder finds the files that checkInterpreters looks at.
type finder interface {
	open(p smallchild.Arg) *smallchild.Instr // for reading
	stat(p smallchild.Arg)                   // into the compiler's stat
}

const toRead = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY

// inProcess finds files as the process does that has become the program's user.
type inProcess struct{ c *compiler }

func (f inProcess) open(p smallchild.Arg) *smallchild.Instr {
	return f.c.Call("openat", unix.SYS_OPENAT, smallchild.Int(unix.AT_FDCWD), p, smallchild.Int(toRead|unix.O_CLOEXEC),
		smallchild.Int(0))
}

func (f inProcess) stat(p smallchild.Arg) {
	f.c.Call("stat", unix.SYS_NEWFSTATAT, smallchild.Int(unix.AT_FDCWD), p, f.c.stat.At(0), smallchild.Int(0))
}

// belowRoot finds files below the container's root, before it is the root of the process.
type belowRoot struct{ c *compiler }

func (f belowRoot) openAs(p smallchild.Arg, flags int) *smallchild.Instr {
	return f.c.Call("openat2", unix.SYS_OPENAT2, smallchild.Val(f.c.root), p, f.c.how(flags, inRoot),
		smallchild.Int(unix.SizeofOpenHow))
}

func (f belowRoot) open(p smallchild.Arg) *smallchild.Instr { return f.openAs(p, toRead) }

func (f belowRoot) stat(p smallchild.Arg) {
	m := f.c.Mark()
	defer f.c.Release(m)
	fd := f.c.Reg()
	f.openAs(p, unix.O_PATH).Into(fd)
	f.c.fstat(smallchild.Val(fd))
	f.c.Call("close", unix.SYS_CLOSE, smallchild.Val(fd))
}

// expectInterpreters is checkInterpreters for the time before a request, after which no whole child could report the
// name of what is missing. The program may look different to its user, so this finds it only in most cases.
func (c *compiler) expectInterpreters() {
	if len(c.cfg.Process.Args) == 0 {
		return
	}
	m := c.Mark()
	defer c.Release(m)
	name, fd, program := c.cfg.Process.Args[0], c.Reg(), c.Reg()
	paths := []string{name}
	switch {
	case !strings.Contains(name, "/"):
		env, _ := cleanEnv(c.cfg.Process.Env)
		paths = strings.Split(variableOf(env, "PATH"), ":")
		for i := range paths {
			paths[i] += "/" + name
		}
	case !path.IsAbs(name):
		paths[0] = path.Join(c.cfg.Process.Cwd, name)
	}
	found, done := c.Label(), c.Label()
	for _, p := range paths {
		if c.Err() != nil { // a PATH of thousands of directories
			return
		}
		next, regular := c.Label(), c.Label()
		c.open(p, unix.O_PATH, inRoot).Into(fd).On(next)
		c.fstat(smallchild.Val(fd))
		c.Call("close", unix.SYS_CLOSE, smallchild.Val(fd))
		c.ifKind(unix.S_IFREG, regular)
		c.Jump(next)
		c.Place(regular)
		c.IfMem(c.stat.At(statMode), 0o111, 0, next)
		c.Set(program, c.Str(p))
		c.Jump(found)
		c.Place(next)
	}
	c.Jump(done)
	c.Place(found)
	c.checkInterpreters(smallchild.Val(program), belowRoot{c})
	c.Place(done)
}

// executable continues if the user may execute a file, and jumps to next otherwise.
func (c *compiler) executable(p string, next smallchild.Label) {
	regular := c.Label()
	c.statProgram(p).On(next)
	c.ifKind(unix.S_IFREG, regular)
	c.Jump(next)
	c.Place(regular)
	c.IfMem(c.stat.At(statMode), 0o111, 0, next)
	c.accessProgram(p).On(next)
}

// requireExecutable is executable for a program that is given by its path. It gives up with the error of a whole
// child.
func (c *compiler) requireExecutable(p string) {
	regular, directory, plain, yes := c.Label(), c.Label(), c.Label(), c.Label()
	blame := func() { c.blame(func(e unix.Errno) error { return notExecutable(p, e) }) }
	c.statProgram(p)
	blame()
	c.ifKind(unix.S_IFREG, regular)
	c.ifKind(unix.S_IFDIR, directory)
	c.GiveUp()
	c.blame(func(unix.Errno) error { return notExecutable(p, unix.EACCES) })
	c.Place(directory)
	c.GiveUp()
	c.blame(func(unix.Errno) error { return notExecutable(p, unix.EISDIR) })
	c.Place(regular)
	c.IfMem(c.stat.At(statMode), 0o111, 0, plain)
	c.accessProgram(p)
	blame()
	c.Jump(yes)
	c.Place(plain)
	c.GiveUp()
	c.blame(func(unix.Errno) error { return notExecutable(p, unix.EACCES) })
	c.Place(yes)
}

func (c *compiler) statProgram(p string) *smallchild.Instr {
	return c.Call("stat", unix.SYS_NEWFSTATAT, smallchild.Int(unix.AT_FDCWD), c.Str(p), c.stat.At(0), smallchild.Int(0))
}

func (c *compiler) accessProgram(p string) *smallchild.Instr {
	return c.Call("faccessat2", unix.SYS_FACCESSAT2, smallchild.Int(unix.AT_FDCWD), c.Str(p), smallchild.Int(unix.X_OK),
		smallchild.Int(unix.AT_EACCESS))
}
