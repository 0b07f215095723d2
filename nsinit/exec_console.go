package nsinit

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// devptsMagic is the magic number of the pseudo-terminal file system, <linux/magic.h>.
const devptsMagic = 0x1cd1

// consoleStep opens the terminal, hands over its master, and mounts the terminal on path unless path is empty.
type consoleStep struct{ path string }

func (consoleStep) stage() stage        { return stageConsole }
func (s consoleStep) detail() string    { return s.path }
func (s consoleStep) do(c *child) error { return c.console(s.path) }

// console opens a terminal in the container's own devpts, hands the master to the parent, and makes the other side
// standard input, output and error and the controlling terminal. It also mounts it on dest, which is /dev/console,
// or empty in a running container, where /dev/console belongs to the first process. The other side is opened
// through the master itself (TIOCGPTPEER, ioctl_tty(2)) and never by its name, which the container could point
// elsewhere (CVE-2025-52565).
func (c *child) console(dest string) error {
	master, err := c.root.Open("/dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer sys.Close(master)
	if err := onDevpts(master, "/dev/pts/ptmx"); err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return op("ioctl TIOCSPTLCK", "", err)
	}
	number, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return op("ioctl TIOCGPTN", "", err)
	}
	tty, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER,
		unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return op("ioctl TIOCGPTPEER", "", errno)
	}
	defer sys.Close(int(tty))
	if err := onDevpts(int(tty), "the terminal"); err != nil {
		return err
	}
	if p := &c.cfg.Process; p.Rows > 0 || p.Columns > 0 {
		if err := unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, &unix.Winsize{Row: p.Rows, Col: p.Columns}); err != nil {
			return op("ioctl TIOCSWINSZ", "", err)
		}
	}
	if dest != "" {
		if err := c.showConsole(int(tty), dest); err != nil {
			return err
		}
	}
	if err := c.handOver(master, fmt.Sprintf("/dev/pts/%d", number)); err != nil {
		return err
	}
	for fd := range 3 {
		if err := unix.Dup3(int(tty), fd, 0); err != nil {
			return op("dup3", "", err)
		}
	}
	return op("ioctl TIOCSCTTY", "", unix.IoctlSetInt(0, unix.TIOCSCTTY, 0))
}

// showConsole mounts the terminal on /dev/console.
func (c *child) showConsole(tty int, dest string) error {
	tree, err := sys.CloneTree(tty, dest, false)
	if err != nil {
		return err
	}
	defer sys.Close(tree)
	target, err := c.root.CreateFile(dest)
	if err != nil {
		return err
	}
	defer sys.Close(target)
	return sys.Attach(tree, target, dest)
}

func (c *child) handOver(master int, name string) error {
	arg := container.ConsoleArg{Path: name}
	_, _, err := transport.Call(context.Background(), c.peer, container.ConsoleRequest, arg, master)
	return err
}

func onDevpts(fd int, name string) error {
	magic, err := sys.FSType(fd)
	if err != nil {
		return err
	}
	if magic != devptsMagic {
		return fmt.Errorf("%s is not on a devpts: %w", name, unix.ENOTTY)
	}
	return nil
}
