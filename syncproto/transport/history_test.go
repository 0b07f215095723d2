package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// The tests in this file are about mistakes that real handshakes have made, each over real sockets.

// configOK confirms a configuration of "{}" in JSON.
var configOK = `{"size":2,"digest":"` + syncproto.Digest([]byte("{}")) + `"}`

// afterOpening is a scripted child that opens the conversation properly, then goes on with f.
func afterOpening(t *testing.T, o transport.Options, f func(send func(syncproto.Kind, uint16, string),
	recv func() syncproto.Header)) *transport.Parent {
	t.Helper()
	c, fd := half(t, transport.SeqPacket)
	o.Codecs = inJSON
	p := newParent(t, c, o)
	scripted(t, fd, func(send func(syncproto.Kind, uint16, string), recv func() syncproto.Header) {
		recv()
		recv()
		send(syncproto.KindHelloAck, 1, ackJSON)
		send(syncproto.KindConfigOK, 2, configOK)
		f(send, recv)
	})
	if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
		t.Fatal(err)
	}
	return p
}

// A newline behind JSON stayed unread where the length was 512*(2^k-1), so the child's close reset the parent's
// connection.
func TestB1NothingIsLeftUnreadAtAnySize(t *testing.T) {
	for _, typ := range []transport.Type{transport.Stream, transport.SeqPacket} {
		for k := 1; k <= 8; k++ {
			for d := -1; d <= 1; d++ {
				// Measured by what the codec makes of it, so that the payload has this size exactly.
				size := 512*(1<<k-1) + d
				config := text(size - len(`{"text":""}`))
				fds, err := unix.Socketpair(unix.AF_UNIX, int(typ)|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					t.Fatal(err)
				}
				a, _ := transport.Take(fds[0])
				b, _ := transport.Take(fds[1])
				p := newParent(t, a, transport.Options{Codecs: inJSON})
				child(t, b, transport.Options{}, ready)
				if err := p.Open(t.Context(), config, nil); err != nil {
					t.Fatalf("%d bytes: %v", size, err)
				}
				if err := replyToAll(t, p); err != io.EOF {
					t.Errorf("%d bytes: %v", size, err)
				}
			}
		}
	}
}

// Messages were numbers, which two versions of a program numbered differently.
func TestB2RequestsHaveNamesAndTablesAHash(t *testing.T) {
	p := afterOpening(t, transport.Options{}, func(send func(syncproto.Kind, uint16, string),
		recv func() syncproto.Header) {
		send(syncproto.KindRequest, 0, `{"name":3,"arg":null}`)
		recv()
	})
	if _, err := p.Next(t.Context()); !errors.Is(err, isCode(syncproto.CodeDecode)) {
		t.Errorf("a number for a name: %v", err)
	}
	a, b := links[1].make(t)
	other := *container.InitProfile()
	other.Phases = slices.Clone(other.Phases)
	other.Phases[0].Rows = slices.Clone(other.Phases[0].Rows)
	other.Phases[0].Rows[1].Request = "resume"
	parent, err := transport.NewParent(a, &other, transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	child(t, b, transport.Options{}, ready)
	err = parent.Open(t.Context(), syncproto.MapValue(), nil)
	if err == nil || !strings.Contains(err.Error(), "parent and child are of different versions") {
		t.Errorf("skewed tables: %v", err)
	}
}

// A message without a type was decoded as the first type, "ready".
func TestB3AMissingNameIsAnError(t *testing.T) {
	for _, payload := range []string{`{}`, `{"arg":null}`, `{"name":"","arg":null}`, `{"name":null,"arg":null}`, `null`,
		`[]`, ``} {
		p := afterOpening(t, transport.Options{}, func(send func(syncproto.Kind, uint16, string),
			recv func() syncproto.Header) {
			send(syncproto.KindRequest, 0, payload)
			recv()
		})
		req, err := p.Next(t.Context())
		var f *transport.Failure
		if req != nil || !errors.As(err, &f) || f.Outcome != syncproto.Violated {
			t.Errorf("%q: %+v, %v", payload, req, err)
		}
	}
}

// An error of the child before it knew its type was sent as a message that the parent took for "ready".
func TestB4AnErrorBeforeAnythingIsAgreedIsThatError(t *testing.T) {
	for _, typ := range []transport.Type{transport.SeqPacket, transport.Stream} {
		c, fd := half(t, typ)
		p := newParent(t, c, transport.Options{})
		scripted(t, fd, func(send func(syncproto.Kind, uint16, string), _ func() syncproto.Header) {
			send(syncproto.KindError, 0, report) // nothing was read, not even HELLO
		})
		err := p.Open(t.Context(), syncproto.MapValue(), nil)
		var f *transport.Failure
		if !errors.As(err, &f) || f.Outcome != syncproto.PeerError || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("type %v: %v", typ, err)
		}
	}
}

// Names were matched in any case, and the last of several equal names won.
func TestB5ANameStandsOnceAndExactly(t *testing.T) {
	for _, payload := range []string{
		`{"name":"ready","name":"hooks","arg":null}`, `{"name":"ready","NAME":"hooks","arg":null}`,
		`{"Name":"ready","arg":null}`,
		`{"name":"ready","n\u0061me":"hooks","arg":null}`, `{"name":"READY","arg":null}`,
	} {
		p := afterOpening(t, transport.Options{}, func(send func(syncproto.Kind, uint16, string),
			recv func() syncproto.Header) {
			send(syncproto.KindRequest, 0, payload)
			recv()
		})
		if req, err := p.Next(t.Context()); req != nil || err == nil {
			t.Errorf("%s was taken as %+v", payload, req)
		}
	}
}

// failing returns the error that a parent gets from a child that fails with err.
func failing(t *testing.T, cause error) error {
	t.Helper()
	a, b := links[3].make(t)
	p := newParent(t, a, transport.Options{})
	child(t, b, transport.Options{}, func(ctx context.Context, p *transport.Child) error {
		if err := open(ctx, p); err != nil {
			return err
		}
		return cause
	})
	if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
		return err
	}
	return replyToAll(t, p)
}

// The number of an error was lost, its text was quoted again at every level, and an error without a stack caused a
// panic.
func TestB6ErrnoSurvivesAndWordsAreNotQuotedTwice(t *testing.T) {
	cause := fmt.Errorf("set up rootfs: %w", fmt.Errorf("mount %q: %w", "/proc", unix.EPERM))
	err := failing(t, cause)
	if !errors.Is(err, unix.EPERM) || !errors.Is(err, fs.ErrPermission) || err.Error() != cause.Error() {
		t.Errorf("got %v, want %v", err, cause)
	}
	for _, payload := range []string{`{}`, `{"code":"setup","role":"child","nodes":[]}`,
		`{"nodes":[{"parent":7,"type":"no such type"}]}`, `null`, `{"nodes":3}`, `not JSON`, ``} {
		p := afterOpening(t, transport.Options{}, func(send func(syncproto.Kind, uint16, string), _ func() syncproto.Header) {
			send(syncproto.KindError, 0, payload)
		})
		_, err := p.Next(t.Context())
		var f *transport.Failure
		if !errors.As(err, &f) || f.Outcome != syncproto.PeerError || err.Error() == "" {
			t.Errorf("%q: %v", payload, err)
		}
	}
}

// Errors were encoded by their exported fields: most of them as {}.
func TestB7TypesOfErrorsSurvive(t *testing.T) {
	err := failing(t, &fs.PathError{Op: "open", Path: "/a\nb", Err: unix.ENOTDIR})
	var path *fs.PathError
	if !errors.As(err, &path) || path.Op != "open" || path.Path != "/a\nb" || path.Err != error(unix.ENOTDIR) ||
		strings.Contains(err.Error(), "\n") {
		t.Errorf("%v %+v", err, path)
	}
	err = failing(t, os.NewSyscallError("pivot_root", unix.EINVAL))
	var call *os.SyscallError
	if !errors.As(err, &call) || call.Syscall != "pivot_root" || !errors.Is(err, unix.EINVAL) {
		t.Errorf("%v", err)
	}
	err = failing(t, &exec.Error{Name: "sh", Err: exec.ErrNotFound})
	var missing *exec.Error
	if !errors.As(err, &missing) || missing.Name != "sh" || !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("%v", err)
	}
	err = failing(t, errors.Join(errors.New("plain"), unix.ENOSPC))
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "plain") {
		t.Errorf("%v", err)
	}
}

// Waits were unlimited: a child that was stopped, or whose socket stayed open in another process, hung its parent.
func TestB8EveryWaitEnds(t *testing.T) {
	type script = func(send func(syncproto.Kind, uint16, string), recv func() syncproto.Header)
	hang := make(chan struct{})
	for _, tt := range []struct {
		name  string
		state syncproto.State
		wait  syncproto.Wait
		f     script
	}{
		{"the greeting", syncproto.Greeted, syncproto.WaitHello, func(send func(syncproto.Kind, uint16, string),
			_ func() syncproto.Header) {
		}},
		{"the configuration", syncproto.Agreed, syncproto.WaitConfig, func(send func(syncproto.Kind, uint16, string),
			_ func() syncproto.Header) {
			send(syncproto.KindHelloAck, 1, ackJSON)
		}},
		{"a request", syncproto.Configured, syncproto.WaitPeer, func(send func(syncproto.Kind, uint16, string),
			_ func() syncproto.Header) {
			send(syncproto.KindHelloAck, 1, ackJSON)
			send(syncproto.KindConfigOK, 2, configOK)
		}},
		{"the execution", syncproto.Committed, syncproto.WaitEnd, func(send func(syncproto.Kind, uint16, string),
			recv func() syncproto.Header) {
			send(syncproto.KindHelloAck, 1, ackJSON)
			send(syncproto.KindConfigOK, 2, configOK)
			send(syncproto.KindRequest, 0, `{"name":"ready","arg":null}`)
			for k := recv().Kind; k != syncproto.KindReply && k != 0; k = recv().Kind {
			}
			send(syncproto.KindExec, 0, "")
		}},
	} {
		for _, typ := range []transport.Type{transport.SeqPacket, transport.Stream} {
			c, fd := half(t, typ)
			d := longDeadlines() // for all that is not waited for in vain
			switch tt.wait {
			case syncproto.WaitHello:
				d.Hello = shortDeadlines.Hello
			case syncproto.WaitConfig:
				d.Config = shortDeadlines.Config
			case syncproto.WaitPeer:
				d.Idle = shortDeadlines.Idle
			case syncproto.WaitEnd:
				d.Exec = shortDeadlines.Exec
			}
			p := newParent(t, c, transport.Options{Codecs: inJSON, Deadlines: d})
			scripted(t, fd, func(send func(syncproto.Kind, uint16, string), recv func() syncproto.Header) {
				recv()
				recv() // CONFIG too
				tt.f(send, recv)
				<-hang
			})
			err := p.Open(t.Context(), syncproto.MapValue(), nil)
			if err == nil {
				err = replyToAll(t, p)
			}
			var f *transport.Failure
			if !errors.As(err, &f) || f.Outcome != syncproto.TimedOut || f.State != tt.state || f.Wait != tt.wait ||
				!errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
	}
	close(hang)
}

func init() {
	helpers["child"] = func() { runChild(func(context.Context, *transport.Child) error { return nil }) }
	helpers["stopped"] = func() {
		runChild(func(context.Context, *transport.Child) error {
			_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
			time.Sleep(time.Hour) // it stops when a thread next returns to it from the kernel, which need not be this one
			return nil
		})
	}
}

// runChild is a child process: f runs once the conversation is open.
func runChild(f func(context.Context, *transport.Child) error) {
	ctx := context.Background()
	c, _, err := transport.Adopt("HANDFAST_SOCKET")
	if err != nil {
		os.Exit(3)
	}
	p, err := transport.NewChild(c, container.InitProfile(), transport.Options{})
	if err != nil {
		os.Exit(4)
	}
	err = open(ctx, p)
	if err == nil {
		err = f(ctx, p)
	}
	if err != nil {
		_ = p.Fail(ctx, err)
	}
}

// started is a real child process at the other end of a Peer.
func started(t *testing.T, name string, o transport.Options) (*transport.Parent, *exec.Cmd, *os.File) {
	t.Helper()
	c, end, err := transport.SocketPair(transport.SeqPacket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end.Close() })
	cmd := helper(t, name, end)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	return newParent(t, c, o), cmd, end
}

func TestB8AStoppedChildDoesNotHangItsParent(t *testing.T) {
	o := transport.Options{Deadlines: shortDeadlines}
	o.Deadlines.Hello, o.Deadlines.Config = 30*time.Second, 30*time.Second
	p, _, end := started(t, "stopped", o)
	_ = end.Close()
	if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
		t.Fatal(err)
	}
	_, err := p.Next(t.Context())
	var f *transport.Failure
	if !errors.As(err, &f) || f.Outcome != syncproto.TimedOut {
		t.Errorf("%v", err)
	}
}

// The child is gone, but a copy of its socket stays open: the conversation ends without end of file.
func TestB8ADeadChildWithALeakedSocketDoesNotHangItsParent(t *testing.T) {
	p, cmd, end := started(t, "child", transport.Options{}) // default deadlines: none of them is waited for
	if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		p.Exited()
	}()
	_, err := p.Next(t.Context())
	var f *transport.Failure
	if !errors.As(err, &f) || f.Outcome != syncproto.Died || f.State != syncproto.Configured {
		t.Errorf("%v", err)
	}
	_ = end.Close()
}

func TestB8AKilledChildIsADeathAndNoSuccess(t *testing.T) {
	p, cmd, end := started(t, "child", transport.Options{})
	_ = end.Close()
	if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_, err := p.Next(t.Context())
	var f *transport.Failure
	if !errors.As(err, &f) || f.Outcome != syncproto.Died {
		t.Errorf("%v", err)
	}
}

// Writing is limited as well: the child reads nothing.
func TestB8AWriteThatNobodyReadsEnds(t *testing.T) {
	for _, typ := range []transport.Type{transport.SeqPacket, transport.Stream} {
		c, fd := half(t, typ)
		d := shortDeadlines
		d.Hello = 30 * time.Second // it bounds the writing as well
		p := newParent(t, c, transport.Options{Deadlines: d})
		err := p.Open(t.Context(), text(4<<20-100), nil)
		var f *transport.Failure
		if !errors.As(err, &f) || f.Outcome != syncproto.TimedOut ||
			!strings.Contains(err.Error(), "accepted no data for 50ms") {
			t.Errorf("type %v: %v", typ, err)
		}
		_ = unix.Close(fd)
	}
}

// Files made from blocking sockets do not support deadlines.
func TestB9DeadlinesWorkOnBothEnds(t *testing.T) {
	for _, typ := range []transport.Type{transport.SeqPacket, transport.Stream} {
		c, end, err := transport.SocketPair(typ)
		if err != nil {
			t.Fatal(err)
		}
		flags, err := unix.FcntlInt(end.Fd(), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("the child's end: flags %#x, %v", flags, err)
		}
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Errorf("the parent's end: %v", err)
		}
		if _, _, _, err := c.ReadFrame(all); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the parent's end: %v", err)
		}
		_, _ = c.Close(), end.Close()
	}
}
