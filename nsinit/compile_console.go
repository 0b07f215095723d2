//go:build amd64 || arm64

package nsinit

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/syncproto/container"
)

// maxTerminals is how many terminals of a devpts the small child has names for: those whose number is one digit, in
// decimal and in octal alike.
const maxTerminals = 8

// compile compiles console. It gives up before the request if anything is unusual.
func (s consoleStep) compile(c *compiler) error {
	m := c.Mark()
	defer c.Release(m)
	master, tty := c.Reg(), c.Reg()
	number := c.terminal(master, tty)
	if s.path != "" {
		c.showConsole(tty, s.path)
	}
	c.lastChance()
	c.expectInterpreters()
	if err := c.handOver(master, number); err != nil {
		return err
	}
	c.Call("close", unix.SYS_CLOSE, smallchild.Val(master)).Ignore()
	for fd := range 3 {
		c.Call("dup3", unix.SYS_DUP3, smallchild.Val(tty), smallchild.Int(fd), smallchild.Int(0))
	}
	c.Call("ioctl TIOCSCTTY", unix.SYS_IOCTL, smallchild.Int(0), smallchild.Int(unix.TIOCSCTTY), smallchild.Int(0))
	c.Call("close", unix.SYS_CLOSE, smallchild.Val(tty)).Ignore()
	return nil
}

// terminal opens the two sides of a new terminal of the container's own devpts, gives it its size, and returns where
// its number is.
func (c *compiler) terminal(master, tty smallchild.Reg) (number smallchild.Arg) {
	ioctl := func(name string, request uint, arg smallchild.Arg) *smallchild.Instr {
		return c.Call("ioctl "+name, unix.SYS_IOCTL, smallchild.Val(master), smallchild.Int(request), arg)
	}
	c.open("/dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NOFOLLOW, inRoot).Into(master)
	c.requireDevpts(master)
	ioctl("TIOCSPTLCK", unix.TIOCSPTLCK, c.Bytes(smallchild.Words(0), "number"))
	number = c.Scratch(8).At(0)
	ioctl("TIOCGPTN", unix.TIOCGPTN, number)
	ioctl("TIOCGPTPEER", unix.TIOCGPTPEER, smallchild.Int(unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)).Into(tty)
	c.requireDevpts(tty)
	if p := &c.cfg.Process; p.Rows > 0 || p.Columns > 0 {
		size := smallchild.Words(uint64(p.Rows) | uint64(p.Columns)<<16) // struct winsize: rows, columns, pixels
		ioctl("TIOCSWINSZ", unix.TIOCSWINSZ, c.Bytes(size, "winsize"))
	}
	return number
}

// requireDevpts gives up unless a descriptor is on a devpts.
func (c *compiler) requireDevpts(fd smallchild.Reg) {
	fs := c.Scratch(int(unsafe.Sizeof(unix.Statfs_t{}))) // its first eight bytes are the magic number
	c.Call("fstatfs", unix.SYS_FSTATFS, smallchild.Val(fd), fs.At(0))
	c.require(func(ok smallchild.Label) { c.IfMem(fs.At(0), ^uint64(0), devptsMagic, ok) })
}

// showConsole compiles showConsole.
func (c *compiler) showConsole(tty smallchild.Reg, dest string) {
	tree, target := c.Reg(), c.Reg()
	c.cloneTree(smallchild.Val(tty), "", false, tree)
	c.createFile(dest, target)
	c.attach(tree, target)
}

// handOver compiles handOver. number is where the terminal's number is.
func (c *compiler) handOver(master smallchild.Reg, number smallchild.Arg) error {
	request, err := callPayload(container.ConsoleRequest.Request, container.ConsoleArg{Path: "/dev/pts/0"})
	if err != nil {
		return err
	}
	reply, err := callPayload(container.ConsoleRequest.Reply, struct{}{})
	if err != nil {
		return err
	}
	c.require(func(ok smallchild.Label) { c.IfMem(number, uint64(1<<32-maxTerminals), 0, ok) })
	m := c.Message(request)
	c.Octal(m.At(len(request)-1), number) // the path's last byte is the request's
	c.Send(m, smallchild.Val(master), reply)
	return nil
}
