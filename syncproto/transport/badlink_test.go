package transport_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// badLink is a third-party Link; the functions that are set replace its methods with incorrect ones.
type badLink struct {
	transport.Link
	packets func() bool
	recv    func(p []byte, fds []int) (int, []int, transport.Lost, error)
	send    func(p []byte, fds []int) (int, error)
	wait    func(transport.Events, time.Duration) (transport.Events, error)
}

func (l *badLink) Packets() bool {
	if l.packets != nil {
		return l.packets()
	}
	return l.Link.Packets()
}

func (l *badLink) Recv(p []byte, fds []int) (int, []int, transport.Lost, error) {
	if l.recv != nil {
		return l.recv(p, fds)
	}
	return l.Link.Recv(p, fds)
}

func (l *badLink) Send(p []byte, fds []int) (int, error) {
	if l.send != nil {
		return l.send(p, fds)
	}
	return l.Link.Send(p, fds)
}

func (l *badLink) Wait(want transport.Events, d time.Duration) (transport.Events, error) {
	if l.wait != nil {
		return l.wait(want, d)
	}
	return l.Link.Wait(want, d)
}

// badContract is a Link that breaks its contract, and the text of the error: for packets|for a stream if they differ.
type badContract struct {
	make func(l transport.Link) *badLink
	want string
}

// recvResult is what Recv returns.
type recvResult struct {
	n    int
	got  []int
	lost transport.Lost
	err  error
}

// receiving changes what arrives.
func receiving(change func(p []byte, h *recvResult)) func(transport.Link) *badLink {
	return func(l transport.Link) *badLink {
		return &badLink{Link: l, recv: func(p []byte, fds []int) (int, []int, transport.Lost, error) {
			var h recvResult
			if h.n, h.got, h.lost, h.err = l.Recv(p, fds); h.err == nil {
				change(p, &h)
			}
			return h.n, h.got, h.lost, h.err
		}}
	}
}

// sending changes what Send reports.
func sending(change func(p []byte, n int) (int, error)) func(transport.Link) *badLink {
	return func(l transport.Link) *badLink {
		return &badLink{Link: l, send: func(p []byte, fds []int) (int, error) {
			n, err := l.Send(p, fds)
			if err != nil {
				return n, err
			}
			return change(p, n)
		}}
	}
}

// deadLink neither receives nor sends, and returns err.
func deadLink(err error, is transport.Events, waitErr error) func(transport.Link) *badLink {
	return func(l transport.Link) *badLink {
		return &badLink{Link: l,
			recv: func(_ []byte, fds []int) (int, []int, transport.Lost, error) { return 0, fds, transport.Lost{}, err },
			send: func([]byte, []int) (int, error) { return 0, err },
			wait: func(transport.Events, time.Duration) (transport.Events, error) { return is, waitErr },
		}
	}
}

var errOwn = errors.New("of its own")

const (
	atOnce = "failed in the same call: "
	idle   = "nothing could be received or sent"
)

func breaches(t *testing.T) map[string]badContract {
	return map[string]badContract{
		"too many bytes":      {receiving(func(p []byte, h *recvResult) { h.n = len(p) + 1 }), "bytes into room for"},
		"less than none":      {receiving(func(_ []byte, h *recvResult) { h.n = -1 }), "received -1 bytes"},
		"data and the end":    {receiving(func(_ []byte, h *recvResult) { h.err = io.EOF }), atOnce + "EOF"},
		"data and nothing":    {receiving(func(_ []byte, h *recvResult) { h.err = unix.EAGAIN }), atOnce + "resource"},
		"data and an error":   {receiving(func(_ []byte, h *recvResult) { h.err = errOwn }), atOnce + "of its own"},
		"an error of its own": {receiving(func(_ []byte, h *recvResult) { h.n, h.err = 0, errOwn }), "of its own"},
		"a short frame": {receiving(func(_ []byte, h *recvResult) { h.n = min(h.n, 3) }),
			"shorter than its header|broke the protocol"},
		"nothing, without a reason": {receiving(func(_ []byte, h *recvResult) { h.n = 0 }),
			"an empty packet|received nothing and did not say why"},
		"a descriptor from nowhere": {receiving(func(_ []byte, h *recvResult) { h.got = append(h.got, dupNull(t)) }),
			"says 0 descriptors, 1 came"},
		"a descriptor that is none": {receiving(func(_ []byte, h *recvResult) { h.got = append(h.got, -1) }),
			"the descriptor -1"},
		"many descriptors": {receiving(func(_ []byte, h *recvResult) {
			for range 300 {
				h.got = append(h.got, dupNull(t))
			}
		}), "says 0 descriptors, 300 came"},
		"descriptors lost": {receiving(func(_ []byte, h *recvResult) { h.lost.FDs = true }), "dropped descriptors"},
		"bytes lost": {receiving(func(_ []byte, h *recvResult) { h.lost.Data = true }),
			"or more holds a frame of|lost bytes of a stream"},

		"too much sent":         {sending(func(p []byte, _ int) (int, error) { return len(p) + 1, nil }), "the link sent"},
		"nothing sent":          {sending(func([]byte, int) (int, error) { return 0, nil }), "the link sent 0 bytes"},
		"less than none sent":   {sending(func([]byte, int) (int, error) { return -5, nil }), "the link sent -5 bytes"},
		"a packet sent in part": {sending(func(_ []byte, n int) (int, error) { return n - 1, nil }), "cut a packet|"},
		"sent and no room":      {sending(func(_ []byte, n int) (int, error) { return n, unix.EAGAIN }), atOnce + "resource"},
		"sent and an error":     {sending(func(_ []byte, n int) (int, error) { return n, errOwn }), atOnce + "of its own"},

		"interrupted on and on":       {deadLink(unix.EINTR, 0, nil), "interrupted again and again"},
		"a failure for ever":          {deadLink(errOwn, 0, nil), "of its own"},
		"a wait that fails":           {deadLink(unix.EAGAIN, 0, errOwn), "of its own"},
		"a wait that does not wait":   {deadLink(unix.EAGAIN, 0, nil), idle},
		"readable, and nothing there": {deadLink(unix.EAGAIN, transport.Readable, nil), idle},
		"writable, and no room":       {deadLink(unix.EAGAIN, transport.Writable, nil), idle},
		"woken by nobody":             {deadLink(unix.EAGAIN, transport.Woken, nil), idle},
		"events that there are not":   {deadLink(unix.EAGAIN, 0xf0, nil), idle},
	}
}

// A Link that breaks its contract causes an error that says how, on both sides of a conversation: no panic, no frame
// that was not sent, no endless wait (every deadline is an hour), and no descriptor left open.
func TestALinkThatBreaksItsContract(t *testing.T) {
	for name, tt := range breaches(t) {
		for _, l := range eachLink {
			t.Run(l.name+" "+name, func(t *testing.T) {
				want := tt.want
				if packet, stream, differ := strings.Cut(want, "|"); differ && l.packet {
					want = packet
				} else if differ {
					want = stream
				}
				holdToContract(t, l, tt.make, want)
			})
		}
	}
}

func holdToContract(t *testing.T, l link, broken func(transport.Link) *badLink, want string) {
	t.Helper()
	for _, side := range []syncproto.Role{syncproto.Parent, syncproto.Child} {
		a, b := l.make(t)
		o := transport.Options{Codecs: inJSON, Deadlines: patient()}
		o.Deadlines.Grace = time.Millisecond
		if side == syncproto.Parent {
			a = transport.New(broken(a.Link()))
		} else {
			b = transport.New(broken(b.Link()))
		}
		p := newParent(t, a, o)
		c, err := transport.NewChild(b, container.InitProfile(), o)
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan error, 1)
		go func() {
			err := ready(t.Context(), c)
			_ = c.Close()
			heard <- err
		}()
		err = p.Open(t.Context(), syncproto.MapValue(), nil)
		if err == nil {
			err = replyToAll(t, p)
		}
		_ = p.Close()
		if of := <-heard; side == syncproto.Child {
			err = of
		}
		if ended(err) == syncproto.Undecided || !strings.Contains(err.Error(), want) {
			t.Errorf("the %v: %v, want %q", side, err, want)
		}
	}
}

// fickle is a Link that does anything at all: every result is drawn.
type fickle struct {
	t       *rapid.T
	calls   int
	packets bool
	steady  bool // its kind does not change
}

func (l *fickle) draw(name string, least, most int) int {
	l.calls++
	return rapid.IntRange(least, most).Draw(l.t, name)
}

func (l *fickle) err() error {
	all := []error{nil, nil, nil, unix.EAGAIN, io.EOF, unix.ECONNRESET, unix.EINTR, unix.EPIPE, os.ErrClosed,
		errors.New("of its own"), io.ErrUnexpectedEOF}
	return all[l.draw("error", 0, len(all)-1)]
}

func (l *fickle) Packets() bool {
	if !l.steady && l.draw("kind", 0, 9) == 0 {
		l.packets = !l.packets
	}
	return l.packets
}

func (l *fickle) Recv(p []byte, fds []int) (int, []int, transport.Lost, error) {
	var data []byte
	if l.draw("what", 0, 2) > 0 { // something like a frame, or the like of its beginning
		h := syncproto.Header{Kind: syncproto.Kind(l.draw("frame", 0, 12)), Flags: uint8(l.draw("flags", 0, 3)),
			Seq: uint16(l.draw("seq", 0, 3)), Re: uint16(l.draw("re", 0, 3)), NFDs: uint8(l.draw("fds", 0, 2)),
			Length: uint32(l.draw("length", 0, 20))}
		data = append(h.Append(nil), make([]byte, l.draw("payload", 0, 20))...)
	} else {
		data = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(l.t, "bytes")
	}
	n := copy(p, data)
	if l.draw("lie", 0, 5) == 0 {
		n = l.draw("n", -2, len(p)+2)
	}
	switch l.draw("descriptors", 0, 5) {
	case 0:
		fds = append(fds, -l.draw("fd", 1, 3))
	case 1:
		fds = nil
	}
	lost := l.draw("lost", 0, 11)
	return n, fds, transport.Lost{Data: lost == 0, FDs: lost == 1}, l.err()
}

func (l *fickle) Send(p []byte, _ []int) (int, error) {
	if l.draw("whole", 0, 3) > 0 {
		return len(p), nil
	}
	return l.draw("sent", -1, len(p)+1), l.err()
}

func (l *fickle) Wait(want transport.Events, _ time.Duration) (transport.Events, error) {
	if l.draw("as wanted", 0, 3) > 0 {
		return want, nil
	}
	return transport.Events(l.draw("events", 0, 255)), l.err()
}

func (l *fickle) Wakeable() error   { return nil }
func (l *fickle) Wake()             {}
func (l *fickle) CloseWrite() error { return l.err() }
func (l *fickle) Close() error      { return nil }

// Whatever a Link does, a conversation over it ends, in an error.
func TestALinkThatDoesAnything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := &fickle{t: rt, packets: rapid.Bool().Draw(rt, "packets"), steady: rapid.Bool().Draw(rt, "steady")}
		o := transport.Options{Codecs: inJSON, Deadlines: patient()}
		if rapid.Bool().Draw(rt, "parent") {
			p, err := transport.NewParent(transport.New(l), container.InitProfile(), o)
			if err != nil {
				rt.Fatal(err)
			}
			if err = p.Open(t.Context(), syncproto.MapValue(), nil); err == nil {
				err = replyToAll(t, p)
			}
			if err == nil {
				rt.Error("no end")
			}
			_ = p.Close()
			return
		}
		c, err := transport.NewChild(transport.New(l), container.InitProfile(), o)
		if err != nil {
			rt.Fatal(err)
		}
		if _, _, err = c.Accept(t.Context()); err == nil {
			err = c.Confirm(t.Context())
		}
		if err == nil {
			_, _, err = c.Call(t.Context(), "ready", syncproto.Value{})
		}
		if err == nil {
			rt.Error("no end")
		}
		_ = c.Close()
	})
}

// A Link that is missing is refused.
func TestNoLink(t *testing.T) {
	var none *badLink
	for _, l := range []transport.Link{nil, none} {
		if _, err := transport.NewParent(transport.New(l), container.InitProfile(), transport.Options{}); err == nil {
			t.Error("it was taken")
		}
	}
}
