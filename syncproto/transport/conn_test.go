package transport_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/transport/transporttest"
)

func frame(kind syncproto.Kind, seq uint16, payload string, fds int) syncproto.Header {
	return syncproto.Header{Kind: kind, Seq: seq, NFDs: uint8(fds), Length: uint32(len(payload))}
}

// Every link must pass the same cases.
func TestEveryLink(t *testing.T) {
	for _, l := range links {
		for _, c := range []struct {
			name string
			f    func(t *testing.T, l link)
		}{
			{"frames and descriptors", frameAndDescriptors}, {"many frames", manyFrames}, {"half-close", halfClose},
			{"deadlines", deadlines},
			{"close ends a read", closeEndsRead}, {"write to a closed peer", writeToClosed},
			{"a refusal closes descriptors", refusalCloses}, {"largest frame", largestFrame},
		} {
			t.Run(l.name+"/"+c.name, func(t *testing.T) { c.f(t, l) })
		}
	}
}

func frameAndDescriptors(t *testing.T, l link) {
	a, b := l.make(t)
	for _, n := range []int{0, 1, 2, 16, 253} {
		h := frame(syncproto.KindRequest, 1, "hello", n)
		if err := a.WriteFrame(h, []byte("hello"), nulls(t, n)); err != nil {
			t.Fatal(err)
		}
		got, payload, fds, err := b.ReadFrame(all)
		if err != nil || got != h || string(payload) != "hello" || len(fds) != n {
			t.Fatalf("%+v %q %d descriptors, %v", got, payload, len(fds), err)
		}
		for _, fd := range fds {
			if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("descriptor %d: flags %d, %v", fd, flags, err)
			}
		}
		transport.CloseAll(fds)
	}
}

// Queued frames stay separate, each with its own descriptors.
func manyFrames(t *testing.T, l link) {
	a, b := l.make(t)
	for i := range 20 {
		payload := strings.Repeat("x", i*50)
		if err := a.WriteFrame(frame(syncproto.KindRequest, uint16(i+1), payload, i%3), []byte(payload),
			nulls(t, i%3)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		h, payload, fds, err := b.ReadFrame(all)
		if err != nil || h.Seq != uint16(i+1) || len(payload) != i*50 || len(fds) != i%3 {
			t.Fatalf("frame %d: %+v, %d bytes, %d descriptors, %v", i, h, len(payload), len(fds), err)
		}
		transport.CloseAll(fds)
	}
}

func halfClose(t *testing.T, l link) {
	a, b := l.make(t)
	if err := a.WriteFrame(frame(syncproto.KindNote, 1, "x", 1), []byte("x"), nulls(t, 1)); err != nil {
		t.Fatal(err)
	}
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_, payload, fds, err := b.ReadFrame(all)
	if err != nil || string(payload) != "x" || len(fds) != 1 {
		t.Fatalf("%q %v %v", payload, fds, err)
	}
	transport.CloseAll(fds)
	if _, _, _, err := b.ReadFrame(all); err != io.EOF {
		t.Errorf("after the half-close: %v", err)
	}
	if err := b.WriteFrame(frame(syncproto.KindNote, 1, "", 0), nil, nil); err != nil {
		t.Errorf("the other direction: %v", err)
	}
	if h, _, _, err := a.ReadFrame(all); err != nil || h.Kind != syncproto.KindNote {
		t.Errorf("the other direction: %v", err)
	}
	if err := a.WriteFrame(frame(syncproto.KindNote, 2, "", 0), nil, nil); !errors.Is(err, unix.EPIPE) {
		t.Errorf("a write after CloseWrite: %v", err)
	}
}

func deadlines(t *testing.T, l link) {
	for side := range 2 {
		a, b := l.make(t)
		c := [...]*transport.Conn{a, b}[side]
		if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := c.ReadFrame(all); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		// The peer does not read: the buffer fills, and then the write must end too.
		_ = c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		payload := make([]byte, 60<<10)
		var err error
		for seq := uint16(1); err == nil; seq++ {
			err = c.WriteFrame(frame(syncproto.KindRequest, seq, string(payload), 0), payload, nil)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %v", err)
		}
	}
	// Setting a later deadline moves one that a read is waiting for.
	fresh, _ := l.make(t)
	_ = fresh.SetReadDeadline(time.Now().Add(time.Hour))
	time.AfterFunc(20*time.Millisecond, func() { _ = fresh.SetReadDeadline(time.Unix(1, 0)) })
	if _, _, _, err := fresh.ReadFrame(all); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a deadline that is moved: %v", err)
	}
}

func closeEndsRead(t *testing.T, l link) {
	a, _ := l.make(t)
	time.AfterFunc(20*time.Millisecond, func() { _ = a.Close() })
	if _, _, _, err := a.ReadFrame(all); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func writeToClosed(t *testing.T, l link) {
	a, b := l.make(t)
	if err := b.WriteFrame(frame(syncproto.KindError, 1, "last words", 0), []byte("last words"), nil); err != nil {
		t.Fatal(err)
	}
	if err := a.WriteFrame(frame(syncproto.KindNote, 1, "unread", 0), []byte("unread"), nil); err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	for range 2 {
		if err := a.WriteFrame(frame(syncproto.KindNote, 2, "", 0), nil, nil); !errors.Is(err, unix.EPIPE) &&
			!errors.Is(err, unix.ECONNRESET) {
			t.Errorf("a write to nobody: %v", err)
		}
	}
	if h, payload, _, err := a.ReadFrame(all); err != nil || h.Kind != syncproto.KindError ||
		string(payload) != "last words" {
		t.Errorf("what was queued: %v %q %v", h.Kind, payload, err)
	}
	if _, _, _, err := a.ReadFrame(all); err != io.EOF {
		t.Errorf("then %v", err)
	}
}

// The leak check at the end of the tests counts the descriptors.
func refusalCloses(t *testing.T, l link) {
	a, b := l.make(t)
	no := errors.New("no")
	if err := a.WriteFrame(frame(syncproto.KindRequest, 1, "x", 3), []byte("x"), nulls(t, 3)); err != nil {
		t.Fatal(err)
	}
	if _, _, fds, err := b.ReadFrame(func(syncproto.Header) error { return no }); err != no || fds != nil {
		t.Errorf("%v %v", fds, err)
	}
	for said, sent := range map[int]int{0: 1, 1: 0, 2: 1, 3: 5} {
		a, b := l.make(t)
		if err := a.WriteFrame(frame(syncproto.KindRequest, 1, "x", said), []byte("x"), nulls(t, sent)); err != nil {
			t.Fatal(err)
		}
		if _, _, fds, err := b.ReadFrame(all); !errors.Is(err, isCode(syncproto.CodeDescriptors)) || fds != nil {
			t.Errorf("%d said, %d sent: %v %v", said, sent, fds, err)
		}
	}
}

func largestFrame(t *testing.T, l link) {
	a, b := l.make(t)
	payload := bytes.Repeat([]byte("0123456789abcdef"), syncproto.MaxFrame/16)
	if err := a.WriteFrame(frame(syncproto.KindRequest, 1, string(payload), 1), payload, nulls(t, 1)); err != nil {
		t.Fatal(err)
	}
	h, got, fds, err := b.ReadFrame(all)
	if err != nil || h.Length != syncproto.MaxFrame || !bytes.Equal(got, payload) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	transport.CloseAll(fds)
}

// sendRaw is sendmsg(2) without the byte that unix.Sendmsg adds to an empty packet.
func sendRaw(t *testing.T, fd int, data, oob []byte) {
	t.Helper()
	var msg unix.Msghdr
	iov := unix.Iovec{Base: unsafe.SliceData(data)}
	iov.SetLen(len(data))
	msg.Iov = &iov
	msg.SetIovlen(1)
	msg.Control = unsafe.SliceData(oob)
	msg.SetControllen(len(oob))
	if _, _, errno := unix.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)),
		unix.MSG_NOSIGNAL); errno != 0 {
		t.Fatal(errno)
	}
}

// Input that only a misbehaving peer on a kernel socket can send.
func TestBrokenPeers(t *testing.T) {
	whole := append(frame(syncproto.KindNote, 1, "payload", 0).Append(nil), "payload"...)
	rights := func(n int) []byte { return unix.UnixRights(nulls(t, n)...) }
	type packet struct {
		data []byte
		oob  []byte
	}
	for _, tt := range []struct {
		name    string
		typ     transport.Type
		packets []packet
		want    error
		text    string
	}{
		{"end in the header", transport.Stream, []packet{{data: whole[:5]}}, io.ErrUnexpectedEOF, ""},
		{"end after the header", transport.Stream, []packet{{data: whole[:16]}}, io.ErrUnexpectedEOF, ""},
		{"end in the payload", transport.Stream, []packet{{data: whole[:20]}}, io.ErrUnexpectedEOF, ""},
		{"end at once", transport.Stream, nil, io.EOF, ""},
		{"end of packets", transport.SeqPacket, nil, io.EOF, ""},
		{"half a packet", transport.SeqPacket, []packet{{data: whole[:20]}}, isCode(syncproto.CodeFrame),
			"holds a frame of 23"},
		{"two frames in a packet", transport.SeqPacket, []packet{{data: append(whole[:len(whole):len(whole)], whole...)}},
			isCode(syncproto.CodeFrame), ""},
		{"a packet over every limit", transport.SeqPacket,
			[]packet{{data: append(frame(syncproto.KindNote, 1, strings.Repeat("x", 100000), 0).Append(nil),
				strings.Repeat("x", 100000)...)}}, isCode(syncproto.CodeFrame), ""},
		{"an empty packet with a descriptor", transport.SeqPacket, []packet{{oob: rights(1)}},
			isCode(syncproto.CodeDescriptors), "empty packet"},
		{"another protocol, packets", transport.SeqPacket, []packet{{data: []byte(`{"type":"procReady","flags":0}`)}},
			isCode(syncproto.CodeForeign), `it sent "{\"type\":\"procReady\"`},
		{"another protocol, stream", transport.Stream, []packet{{data: []byte(`{"type":0}`)}}, isCode(syncproto.CodeForeign),
			`it sent "{\"type\":0}"`},
		{"one byte of another protocol", transport.Stream, []packet{{data: []byte("0")}}, isCode(syncproto.CodeForeign),
			`it sent "0"`},
		{"a descriptor in the middle", transport.Stream, []packet{{data: whole[:18]}, {data: whole[18:], oob: rights(1)}},
			isCode(syncproto.CodeDescriptors), "middle of a frame"},
		{"a descriptor on the payload", transport.Stream, []packet{{data: whole[:16]}, {data: whole[16:], oob: rights(2)}},
			isCode(syncproto.CodeDescriptors), "middle of a frame"},
		{"a descriptor too many", transport.Stream, []packet{{data: whole, oob: rights(1)}},
			isCode(syncproto.CodeDescriptors), "says 0 descriptors, 1 came"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, fd := half(t, tt.typ)
			for _, p := range tt.packets {
				sendRaw(t, fd, p.data, p.oob)
			}
			_ = unix.Close(fd)
			_, _, fds, err := c.ReadFrame(all)
			if !errors.Is(err, tt.want) || fds != nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, %v, want %v and %q", fds, err, tt.want, tt.text)
			}
		})
	}
}

// If the peer closed with unread data, the kernel reports ECONNRESET before data that is still queued; an error report
// among it still counts.
func TestResetDoesNotHideWhatIsQueued(t *testing.T) {
	for _, typ := range []transport.Type{transport.SeqPacket, transport.Stream} {
		c, fd := half(t, typ)
		if err := c.WriteFrame(frame(syncproto.KindConfig, 1, "never read", 0), []byte("never read"), nil); err != nil {
			t.Fatal(err)
		}
		last := append(frame(syncproto.KindError, 1, "why", 0).Append(nil), "why"...)
		if _, err := unix.Write(fd, last); err != nil {
			t.Fatal(err)
		}
		_ = unix.Close(fd)
		if h, payload, _, err := c.ReadFrame(all); err != nil || h.Kind != syncproto.KindError || string(payload) != "why" {
			t.Errorf("%v %q %v", h.Kind, payload, err)
		}
		if _, _, _, err := c.ReadFrame(all); err != io.EOF {
			t.Errorf("then %v", err)
		}
	}
}

func TestAFrameSentInPartEndsTheWriting(t *testing.T) {
	a, b := transporttest.Memory(transport.Stream, 100)
	defer a.Close()
	defer b.Close()
	_ = a.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	payload := make([]byte, 1000)
	if err := a.WriteFrame(frame(syncproto.KindRequest, 1, string(payload), 0), payload, nil); !errors.Is(err,
		os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	_ = a.SetWriteDeadline(time.Time{})
	if err := a.WriteFrame(frame(syncproto.KindCancel, 2, "", 0), nil, nil); err == nil ||
		!strings.Contains(err.Error(), "in part") {
		t.Errorf("a frame in the middle of another: %v", err)
	}
}

func init() { helpers["few descriptors"] = fewDescriptors }

// fewDescriptors receives 4 descriptors where RLIMIT_NOFILE leaves room for fewer.
func fewDescriptors() {
	c, ok, err := transport.Adopt("HANDFAST_SOCKET")
	if !ok || err != nil {
		os.Stderr.WriteString("no socket\n")
		os.Exit(1)
	}
	free, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		os.Exit(1)
	}
	_ = unix.Close(free)
	limit := unix.Rlimit{Cur: uint64(free) + 2, Max: uint64(free) + 2}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		os.Exit(1)
	}
	_, _, fds, err := c.ReadFrame(all)
	var p *syncproto.ProtocolError
	if !errors.Is(err, unix.EMFILE) || errors.As(err, &p) || !strings.Contains(err.Error(), "MSG_CTRUNC") || fds != nil {
		os.Stderr.WriteString("want EMFILE and MSG_CTRUNC, and nobody blamed for it\n")
		os.Exit(1)
	}
	again, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil || again != free {
		os.Stderr.WriteString("what came was not closed\n")
		os.Exit(1)
	}
}

func TestTruncatedDescriptorsAreRefused(t *testing.T) {
	for _, typ := range []transport.Type{transport.SeqPacket, transport.Stream} {
		c, childEnd, err := transport.SocketPair(typ)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.WriteFrame(frame(syncproto.KindRequest, 1, "x", 4), []byte("x"), nulls(t, 4)); err != nil {
			t.Fatal(err)
		}
		if err := helper(t, "few descriptors", childEnd).Run(); err != nil {
			t.Error(err)
		}
		_, _ = childEnd.Close(), c.Close()
	}
}

func TestAdoptRefuses(t *testing.T) {
	const name = "HANDFAST_TEST_SOCKET"
	if _, ok, err := transport.Adopt(name); ok || err != nil {
		t.Errorf("no variable: %v %v", ok, err)
	}
	for value, want := range map[string]string{"": "is not the number of a descriptor", "x": "is not the number",
		"-1": "is not the number", "9999": "bad file descriptor"} {
		t.Setenv(name, value)
		if _, ok, err := transport.Adopt(name); !ok || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v %v", value, ok, err)
		}
		if _, left := os.LookupEnv(name); left {
			t.Errorf("%q is still in the environment", value)
		}
	}
	for _, listening := range []bool{false, true} {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
		if err != nil {
			t.Fatal(err)
		}
		if listening {
			if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{}), unix.Listen(fd, 1)); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv(name, strconv.Itoa(fd))
		if c, ok, err := transport.Adopt(name); !ok || c != nil || !errors.Is(err, unix.ENOTCONN) {
			t.Errorf("a socket without a peer, listening %v: %v %v", listening, ok, err)
		}
		_ = unix.Close(fd)
	}
}
