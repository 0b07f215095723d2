package nsinit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sysmon"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// Main turns a child that package spawn made into the program that its parent requested, and does not return. In
// every other process it returns at once. It must be the first statement of main: nothing may have opened a
// descriptor or changed the process before. The parent may choose any of codecs, and any of codec.BuiltIn.
func Main(codecs ...codec.Codec) {
	socket, ok := unix.Getenv(container.SocketVariable)
	if !ok {
		return
	}
	// Namespaces, credentials and capabilities belong to a thread, so everything happens on this one. It is the
	// first thread of the process and the one that survives the execution.
	runtime.LockOSThread()
	setns := len(os.Args) > 1 && os.Args[1] == "setns"
	sysmon.Relax() // the program may have called it before
	inheritedSignals(!setns)
	conn, _, err := transport.Adopt(container.SocketVariable)
	if err != nil {
		fmt.Fprintln(os.Stderr, "handfast init:", err)
		os.Exit(1)
	}
	closeInherited(socket)
	c := &child{profile: container.InitProfile(), plan: plan}
	c.parent, _ = strconv.Atoi(socket)
	if setns {
		c.profile, c.plan = container.SetnsProfile(), planJoin
	}
	c.peer, err = transport.NewChild(conn, c.profile, transport.Options{
		Codecs: append(codec.BuiltIn(), codecs...),
		// The parent may make children long before it has anything to tell them. When it ends, end of file ends the wait.
		Deadlines: transport.Deadlines{Hello: -1},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "handfast init:", err)
		os.Exit(1)
	}
	c.fail(c.run())
	os.Exit(1)
}

// closeInherited closes every descriptor above the socket: the one with which the parent executed this program, and
// those that the caller of the parent had left open. It does so at once and not with the execution, which may be
// far away behind a gate. The caller may wait for the end of a pipe that it does not know to be open here, and a
// container must not find any of these descriptors through procfs.
func closeInherited(socket string) {
	if fd, err := strconv.Atoi(socket); err == nil {
		_ = unix.CloseRange(uint(fd)+1, math.MaxUint32, 0)
	}
}

// run carries out the whole life of the child. It returns only with an error.
func (c *child) run() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{fmt.Sprint(r)}
		}
	}()
	ctx := context.Background()
	c.fds, err = transport.Accept(ctx, c.peer, &c.cfg)
	if misfit := (*syncproto.BindError)(nil); errors.As(err, &misfit) {
		return &configError{err}
	}
	if err != nil {
		return err
	}
	if err := c.checkFDs(); err != nil {
		return &configError{err}
	}
	steps, err := c.plan(&c.cfg)
	if err != nil {
		return &configError{err}
	}
	if err := c.peer.Narrow(c.cfg.Narrow(c.profile)); err != nil {
		return err
	}
	if err := c.peer.Confirm(ctx); err != nil {
		return err
	}
	for _, s := range steps {
		if mayLast(s) {
			if err := c.parentIsThere(); err != nil {
				return located(s, err)
			}
		}
		if err := s.do(c); err != nil {
			return located(s, err)
		}
	}
	return nil
}

// checkFDs refuses a configuration whose descriptors did not arrive.
func (c *child) checkFDs() error {
	for _, n := range c.cfg.Namespaces {
		if n.How == container.NSJoin && (n.FD < 1 || n.FD > len(c.fds)) {
			return fmt.Errorf("namespaces: descriptor %d of %s did not come with the configuration", n.FD, n.Kind)
		}
	}
	for _, f := range [...]struct {
		name  string
		place int
	}{
		{"gateFD", c.cfg.GateFD}, {"hooks.stdoutFD", c.cfg.Hooks.StdoutFD}, {"hooks.stderrFD", c.cfg.Hooks.StderrFD},
		{"stdinFD", c.cfg.StdinFD}, {"stdoutFD", c.cfg.StdoutFD}, {"stderrFD", c.cfg.StderrFD},
	} {
		if f.place < 0 || f.place > len(c.fds) {
			return fmt.Errorf("%s %d: of %d descriptors", f.name, f.place, len(c.fds))
		}
	}
	return nil
}

// fail reports err to the parent. If that fails although the parent is there, both errors go to standard error as a
// last resort. Standard error belongs to the container, so nothing is written to it if the parent was killed, or
// has ended the conversation itself and knows why.
func (c *child) fail(err error) {
	e := c.peer.Fail(context.Background(), err)
	var f *transport.Failure
	if e == nil || errors.Is(err, errNoParent) || errors.Is(e, unix.EPIPE) || errors.Is(e, unix.ECONNRESET) {
		return
	}
	if errors.As(e, &f) {
		switch f.Outcome {
		case syncproto.PeerError, syncproto.Cancelled, syncproto.Died:
			return
		}
	}
	fmt.Fprintf(os.Stderr, "handfast init: %v (and the parent could not be told: %v)\n", err, e)
}

// configError is the error for a configuration that cannot be carried out.
type configError struct{ err error }

func (e *configError) Error() string            { return "configuration: " + e.err.Error() }
func (e *configError) Unwrap() error            { return e.err }
func (e *configError) SyncCode() syncproto.Code { return syncproto.CodeConfig }

// panicError is a bug in this program, reported instead of lost.
type panicError struct{ text string }

func (e *panicError) Error() string            { return "panic: " + e.text }
func (e *panicError) SyncCode() syncproto.Code { return syncproto.CodePanic }
