package transport_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// soPassPIDFD is SO_PASSPIDFD, <asm-generic/socket.h>, of Linux 6.5.
const soPassPIDFD = 76

func openFDs(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Control messages that another process has enabled on this socket leave nothing behind, and the maximum number of
// descriptors of a frame still fits beside them.
func TestUnrequestedControlMessages(t *testing.T) {
	for _, typ := range []transport.Type{transport.Stream, transport.SeqPacket} {
		for name, options := range map[string][]int{
			"SO_PASSCRED":    {unix.SO_PASSCRED},
			"SO_PASSPIDFD":   {soPassPIDFD},
			"SO_TIMESTAMPNS": {unix.SO_TIMESTAMPNS},
			"all of them":    {unix.SO_PASSCRED, soPassPIDFD, unix.SO_PASSSEC, unix.SO_TIMESTAMPNS},
		} {
			t.Run(fmt.Sprintf("type %d %s", typ, name), func(t *testing.T) {
				a, fd := half(t, typ)
				b, err := transport.Take(fd)
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				for _, o := range options {
					err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, o, 1)
					if o == soPassPIDFD && err == unix.ENOPROTOOPT {
						t.Skip("the kernel has no SO_PASSPIDFD (Linux 6.5)")
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				holdControl(t, a, b)
			})
		}
	}
}

func holdControl(t *testing.T, a, b *transport.Conn) {
	t.Helper()
	fds := nulls(t, syncproto.MaxFDs)
	before := openFDs(t)
	for i, n := range []int{0, 1, 3, syncproto.MaxFDs} {
		h := syncproto.Header{Kind: syncproto.KindRequest, Seq: uint16(i + 1), NFDs: uint8(n), Length: 1}
		if err := a.WriteFrame(h, []byte("x"), fds[:n]); err != nil {
			t.Fatal(err)
		}
		_, _, got, err := b.ReadFrame(all)
		if err != nil || len(got) != n {
			t.Errorf("%d of %d descriptors, %v", len(got), n, err)
		}
		transport.CloseAll(got)
	}
	if after := openFDs(t); after != before {
		t.Errorf("%d descriptors became %d", before, after)
	}
}

// A receiver that runs out of descriptors reports its own failure with EMFILE and does not blame the peer.
func TestRunningOutOfDescriptorsBlamesNobody(t *testing.T) {
	for _, typ := range []transport.Type{transport.Stream, transport.SeqPacket} {
		l := kernelLink("", typ, transport.Take)
		a, b := l.make(t)
		p, err := transport.NewParent(a, table(), transport.Options{Codecs: inJSON, Deadlines: patient()})
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan error, 1)
		fds := nulls(t, 20)
		go func() {
			c, err := transport.NewChild(b, table(), transport.Options{})
			if err == nil {
				err = open(t.Context(), c)
			}
			if err == nil {
				_, _, err = c.Call(t.Context(), "take", syncproto.Value{}, fds...)
			}
			_ = c.Close()
			heard <- err
		}()
		if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
			t.Fatal(err)
		}
		var old unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
		few := unix.Rlimit{Cur: uint64(lowestFree(t) + 2), Max: old.Max}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
			t.Fatal(err)
		}
		_, err = p.Next(t.Context())
		if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); e != nil {
			t.Fatal(e)
		}
		var violation *syncproto.ProtocolError
		if ended(err) != syncproto.LocalError || !errors.Is(err, unix.EMFILE) || errors.As(err, &violation) {
			t.Errorf("type %v: %v", typ, err)
		}
		_ = p.Close()
		if err := <-heard; ended(err) != syncproto.PeerError {
			t.Errorf("type %v, the other side: %v", typ, err)
		}
	}
}

func table() *syncproto.Profile {
	return &syncproto.Profile{Name: "table", Phases: []syncproto.Phase{
		{Name: "open", Requester: syncproto.Child, Commit: true, Rows: []syncproto.Row{
			{Request: "take", Reply: "taken", RequestFDs: syncproto.FDCount{Max: syncproto.MaxFDs}},
		}},
	}}
}

// lowestFree returns the number that the next descriptor of this process will get.
func lowestFree(t *testing.T) int {
	t.Helper()
	fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(fd)
	return fd
}

// Descriptors arrive with the first byte of a frame. If the rest never arrives, they are closed.
func TestDescriptorsOfAFrameThatIsCutShort(t *testing.T) {
	for name, end := range map[string]func(b *transport.Conn) error{
		"a connection": func(b *transport.Conn) error {
			_ = b.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			_, _, _, err := b.ReadFrame(all)
			return errors.Join(err, b.Close())
		},
		"a child": func(b *transport.Conn) error {
			c, err := transport.NewChild(b, container.InitProfile(),
				transport.Options{Deadlines: transport.Deadlines{Hello: 50 * time.Millisecond}})
			if err != nil {
				return err
			}
			_, _, err = c.Accept(t.Context())
			return errors.Join(err, c.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, fd := half(t, transport.Stream)
			defer a.Close()
			before := openFDs(t)
			b, err := transport.Take(fd)
			if err != nil {
				t.Fatal(err)
			}
			h := frame(syncproto.KindConfig, 1, strings.Repeat("x", 100), 1)
			part := append(h.Append(nil), "a part"...)
			if _, err := a.Link().Send(part, []int{0}); err != nil {
				t.Fatal(err)
			}
			if err := end(b); err == nil {
				t.Error("it ended well")
			}
			if after := openFDs(t); after != before-1 {
				t.Errorf("%d descriptors more than without", after-before+1)
			}
		})
	}
}
