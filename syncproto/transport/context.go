package transport

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// watch is the one context that ends the driver's waits. It is kept from call to call, for most calls have the same
// one.
type watch struct {
	done <-chan struct{}
	stop func() bool
	byFD bool // it tells of its end by a descriptor
}

// watchContext sees to it that the end of ctx ends a wait. Where ctx never ends, it does nothing at all. Where it tells
// of its end by a descriptor that can be read from then on, its method WakeFD, that is waited for together with all
// else, and nothing runs beside the conversation.
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
	d.wake = watch{done: done, stop: context.AfterFunc(ctx, d.conn.link.Wake)}
	return nil
}

func (d *driver) unwatch() {
	if l, ok := d.conn.link.(*unixLink); ok {
		l.wakeOnce(-1)
	}
	if d.wake.stop != nil {
		d.wake.stop()
	}
	d.wake = watch{}
}

// watchProcess has the link report the end of the process that f is the pidfd of.
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
