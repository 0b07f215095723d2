package history

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/transport"
)

// This file has the tests' two ways to speak today's protocol: as a Peer, and by hand, for frames that no Peer would
// send.

// today has the options of the tests: JSON, so that frames can be written by hand, and deadlines that only a mistake
// can reach.
var today = transport.Options{Codecs: []codec.Codec{codec.JSON()}, Deadlines: transport.Deadlines{Hello: time.Minute,
	Config: time.Minute, Idle: time.Minute, Exec: time.Minute, Write: time.Minute}}

// raw is a side that writes its frames by hand.
type raw struct {
	e   *end
	seq uint16
	buf []byte
}

// frame returns the next frame as bytes.
func (r *raw) frame(kind syncproto.Kind, re uint16, payload string, fds int) []byte {
	r.seq++
	h := syncproto.Header{Kind: kind, Seq: r.seq, Re: re, NFDs: uint8(fds), Length: uint32(len(payload))}
	return append(h.Append(nil), payload...)
}

func (r *raw) send(kind syncproto.Kind, re uint16, payload string, fds ...int) {
	_ = r.e.send(r.frame(kind, re, payload, len(fds)), fds...) // fails if the parent has given up, which is fine
}

// recv returns the next frame that arrived. Descriptors with it are lost, as in any plain read.
func (r *raw) recv() (h syncproto.Header, payload string) {
	if typ, _ := unix.GetsockoptInt(r.e.fd, unix.SOL_SOCKET, unix.SO_TYPE); typ == unix.SOCK_SEQPACKET {
		n, _ := r.e.Read(r.buf)
		h, _ = syncproto.ParseHeader(r.buf[:n])
		return h, string(r.buf[min(n, syncproto.HeaderSize):n])
	}
	_, _ = io.ReadFull(r.e, r.buf[:syncproto.HeaderSize])
	h, _ = syncproto.ParseHeader(r.buf[:syncproto.HeaderSize])
	n, _ := io.ReadFull(r.e, r.buf[:h.Length])
	return h, string(r.buf[:n])
}

// open sends and receives the opening of a child.
func (r *raw) open() {
	_, _ = r.recv()
	config, payload := r.recv()
	r.send(syncproto.KindHelloAck, 1, encode(syncproto.HelloAck{Version: 1, Codec: "json",
		Limits: syncproto.DefaultLimits(), PID: 1}))
	r.send(syncproto.KindConfigOK, config.Seq, encode(syncproto.ConfigOK{Size: uint32(len(payload)),
		Digest: syncproto.Digest([]byte(payload))}))
}

func encode[T any](body T) string {
	v, err := syncproto.ToValue(body)
	if err != nil {
		panic(err)
	}
	b, err := codec.JSON().Append(nil, v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// against returns a parent's Peer whose child is script, which runs in the background; its end is closed when it
// returns.
func against(t *testing.T, typ transport.Type, p *syncproto.Profile, script func(r *raw)) *transport.Parent {
	t.Helper()
	a, b := pair(t, int(typ))
	peer, err := transport.NewParent(take(t, a), p, today)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { _ = peer.Close() })
	wg.Go(func() {
		defer b.Close()
		script(&raw{e: b, buf: make([]byte, 1<<17)})
	})
	return peer
}

// take makes a Conn from an end, which it takes.
func take(t *testing.T, e *end) *transport.Conn {
	t.Helper()
	c, err := transport.Take(e.fd)
	if err != nil {
		t.Fatal(err)
	}
	e.fd = -1
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// peers returns a parent's Peer, and runs f with a child's, which is already open. The error that f returns is reported
// to the parent.
func peers(t *testing.T, typ transport.Type, p *syncproto.Profile, f func(ctx context.Context,
	child *transport.Child) error) *transport.Parent {
	t.Helper()
	a, b := pair(t, int(typ))
	parent, err := transport.NewParent(take(t, a), p, today)
	if err != nil {
		t.Fatal(err)
	}
	child, err := transport.NewChild(take(t, b), p, transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { _ = parent.Close() })
	wg.Go(func() {
		ctx := context.Background()
		_, fds, err := child.Accept(ctx)
		transport.CloseAll(fds)
		if err == nil {
			err = child.Confirm(ctx)
		}
		if err == nil {
			err = f(ctx, child)
		}
		if err != nil {
			_ = child.Fail(ctx, err)
		}
		_ = child.Close()
	})
	return parent
}

// goAhead takes a child from the opening to EXEC.
func goAhead(ctx context.Context, child *transport.Child) error {
	if _, _, err := child.Call(ctx, "ready", syncproto.Value{}); err != nil {
		return err
	}
	return child.Exec(ctx)
}

// serve opens the conversation and replies to every request until the end, which it returns with the names of the
// requests.
func serve(t *testing.T, parent *transport.Parent) (requests string, err error) {
	t.Helper()
	var names []string
	for err = parent.Open(t.Context(), syncproto.MapValue(), nil); err == nil; {
		var req *transport.Request
		if req, err = parent.Next(t.Context()); err == nil {
			names = append(names, req.Name)
			transport.CloseAll(req.FDs)
			err = parent.Reply(t.Context(), syncproto.Value{})
		}
	}
	return strings.Join(names, " "), err
}

// want checks how a conversation ended; io.EOF is success.
func want(t *testing.T, err error, outcome syncproto.Outcome) *transport.Failure {
	t.Helper()
	var f *transport.Failure
	switch {
	case outcome == syncproto.Success && err == io.EOF:
	case !errors.As(err, &f) || f.Outcome != outcome:
		t.Errorf("ended in %v, want %s", err, outcome)
		return &transport.Failure{}
	case f.Error() == "" || strings.Contains(f.Error(), "\n"):
		t.Errorf("%q is not a line", f.Error())
	}
	return f
}

// notFound is the body of an ERROR with ENOENT.
const notFound = `{"code":"setup","role":"child","nodes":[{"type":"path","op":"open","path":"/bin/sh"},{"parent":1,"type":"errno","errno":"ENOENT"}]}`
