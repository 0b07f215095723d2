package outside

import (
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/transport/transporttest"
)

func pair(t testing.TB) (a, b *transport.Conn) {
	t.Helper()
	var there, back [2]int
	for _, p := range []*[2]int{&there, &back} {
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			t.Fatal(err)
		}
	}
	one, err := New(back[0], there[1])
	if err != nil {
		t.Fatal(err)
	}
	two, err := New(there[0], back[1])
	if err != nil {
		t.Fatal(err)
	}
	return transport.New(one), transport.New(two)
}

func TestSuite(t *testing.T) {
	transporttest.Run(t, transporttest.Link{Make: pair, Deadlines: true, Interrupts: true})
	t.Run("with faults", func(t *testing.T) {
		transporttest.Run(t, transporttest.Link{Deadlines: true, Interrupts: true,
			Make: func(t testing.TB) (a, b *transport.Conn) {
				a, b = pair(t)
				f := transporttest.Faults{Short: 100, Piece: 7, Interrupt: 3}
				return transporttest.WithFaults(a, f), transporttest.WithFaults(b, f)
			}})
	})
}

func TestConversation(t *testing.T) {
	profile := &syncproto.Profile{Name: "outside", Phases: []syncproto.Phase{
		{Name: "work", Requester: syncproto.Child, Commit: true, Rows: []syncproto.Row{{Request: "ready", Reply: "go"}}},
	}}
	a, b := pair(t)
	p, err := transport.NewParent(a, profile, transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := transport.NewChild(b, profile, transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, _, err := c.Accept(t.Context())
		if err == nil {
			err = c.Confirm(t.Context())
		}
		if err == nil {
			_, _, err = c.Call(t.Context(), "ready", syncproto.Value{})
		}
		if err == nil {
			err = c.Done(t.Context())
		}
		done <- err
	}()
	if err := p.Open(t.Context(), syncproto.Value{}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Reply(t.Context(), syncproto.Value{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Next(t.Context()); err != io.EOF {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
