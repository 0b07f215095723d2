package transport_test

import (
	"bytes"
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// A control message sent and received, on both sides.
func BenchmarkCall(b *testing.B) {
	for _, l := range links {
		b.Run(l.name, func(b *testing.B) {
			const most = 60000 // a conversation has an end
			call := ticking(b, l, most+5000)
			b.ReportAllocs()
			for n := 1; b.Loop(); n++ {
				if n%most == 0 {
					call = ticking(b, l, most+5000)
				}
				if err := call(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A whole conversation: a configuration of 10 KiB, hooks, a console, ready, EXEC, end of file.
func BenchmarkConversation(b *testing.B) {
	config := syncproto.MapValue(syncproto.Field{Name: "config",
		Value: syncproto.BytesValue(bytes.Repeat([]byte("configuration..."), 640))})
	for _, c := range []codec.Codec{codec.MessagePack(), codec.JSON()} {
		b.Run(c.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				conn, fd := pairFDs(b)
				done := make(chan error, 1)
				go func() { done <- benchChild(b, fd) }()
				p, err := transport.NewParent(conn, container.InitProfile(), transport.Options{Codecs: []codec.Codec{c}})
				if err == nil {
					err = p.Open(b.Context(), config, nil)
				}
				for err == nil {
					var req *transport.Request
					if req, err = p.Next(b.Context()); err == nil {
						transport.CloseAll(req.FDs)
						err = p.Reply(b.Context(), syncproto.Value{})
					}
				}
				if err != io.EOF {
					b.Fatal(err)
				}
				_ = p.Close()
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func pairFDs(b *testing.B) (*transport.Conn, int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	c, err := transport.Take(fds[0])
	if err != nil {
		b.Fatal(err)
	}
	return c, fds[1]
}

func benchChild(b *testing.B, fd int) error {
	conn, err := transport.Take(fd)
	if err != nil {
		return err
	}
	p, err := transport.NewChild(conn, container.InitProfile(), transport.Options{})
	if err != nil {
		return err
	}
	defer p.Close()
	ctx := b.Context()
	if _, _, err = p.Accept(ctx); err == nil {
		err = p.Confirm(ctx)
	}
	for _, name := range []string{"hooks", "console", "ready"} {
		var fds []int
		if name == "console" {
			fds = []int{0}
		}
		if err == nil {
			_, _, err = p.Call(ctx, name, syncproto.Value{}, fds...)
		}
	}
	if err != nil {
		return err
	}
	return p.Exec(ctx)
}
