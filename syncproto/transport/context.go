package transport

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// contextWatch is the context that can end the driver's waits. It is kept from call to call, because most calls pass
// the same one.
type contextWatch struct {
	done <-chan struct{}
	stop func() bool
	byFD bool // its end makes a descriptor readable
}

// watchContext makes the end of ctx end a wait. If ctx never ends, it does nothing. If ctx has a method WakeFD that
// returns a descriptor which becomes readable when ctx ends, that descriptor is polled along with the others, and
// nothing runs besides the conversation.
func (d *driver) watchContext(ctx context.Context) error {
	if w, ok := ctx.(interface{ WakeFD() int }); ok {
		if l, ok := d.conn.link.(*unixLink); ok {
			d.unwatch()
			l.wakeOnce(w.WakeFD())
			d.wake.byFD = true
			return nil
		}
	}
	done := ctx.Done()
	if done == d.wake.done && !d.wake.byFD {
		return nil
	}
	d.unwatch()
	if done == nil {
		return nil
	}
	if err := d.conn.link.Wakeable(); err != nil {
		return err
	}
	d.wake = contextWatch{done: done, stop: context.AfterFunc(ctx, d.conn.link.Wake)}
	return nil
}

func (d *driver) unwatch() {
	if l, ok := d.conn.link.(*unixLink); ok {
		l.wakeOnce(-1)
	}
	if d.wake.stop != nil {
		d.wake.stop()
	}
	d.wake = contextWatch{}
}

// watchProcess makes the link report the end of the process whose pidfd is f.
func (c *Conn) watchProcess(f *os.File) error {
	l, ok := c.link.(Watcher)
	if !ok {
		return errors.New("transport: this link cannot watch a process: call Exited in place of Options.Process")
	}
	rc, err := f.SyscallConn()
	if err == nil {
		err = rc.Control(func(fd uintptr) { l.Watch(int(fd)) })
	}
	if err != nil {
		return fmt.Errorf("transport: Options.Process: %w", err)
	}
	return nil
}
