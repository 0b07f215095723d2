package fuzz

import (
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// veryShort are deadlines for peers that may never reply.
var veryShort = transport.Deadlines{Hello: 20 * time.Millisecond, Config: 20 * time.Millisecond,
	Idle: 20 * time.Millisecond, Exec: 20 * time.Millisecond, Write: 20 * time.Millisecond, Grace: time.Millisecond}

// bodies are payloads that a fuzzer would take long to find: the right ones, and near misses.
var bodies = []string{
	"", "{}", "null", `{"version":1,"codec":"json","limits":{"control":4096,"error":32768,"fragment":32768,"message":65536,"config":4194304,"notes":256,"frames":4096,"depth":32},"pid":1}`,
	`{"size":2,"digest":"` + syncproto.Digest([]byte("{}")) + `"}`, `{"name":"ready","arg":null}`,
	`{"name":"console","arg":{}}`, `{"level":"info","text":"x"}`,
	`{"code":"exec","role":"child","nodes":[{"type":"errno","errno":"ENOENT"}]}`, `{"reason":"x"}`,
	`{"name":"run","arg":null}`, `{"name":"ready","name":"x","arg":null}`,
	"\xdd\xff\xff\xff\x0f", `{"min":1,"max":1,"codecs":["json"],"profile":"init","hash":"` + initHash() + `","limits":{}}`,
	`{"code":"x","nodes":[{"parent":9,"type":"?"},{"parent":-1,"type":"remote"}]}`,
}

func initHash() string {
	const digits = "0123456789abcdef"
	b := make([]byte, 16)
	for i, h := 15, container.InitProfile().Hash(); i >= 0; i, h = i-1, h>>4 {
		b[i] = digits[h&15]
	}
	return string(b)
}

// hostile writes frames to fd as script says, and closes fd. Three bytes describe a frame: kind and descriptors, re and
// a mistake, the body; the rest is written unchanged.
func hostile(fd int, script []byte) {
	defer unix.Close(fd)
	seq := uint16(0)
	for ; len(script) >= 3 && seq < 64; script = script[3:] {
		seq++
		body := bodies[int(script[2])%len(bodies)]
		h := syncproto.Header{Kind: syncproto.Kind(script[0] & 15), NFDs: script[0] >> 6, Seq: seq, Re: uint16(script[1] & 7),
			Length: uint32(len(body))}
		switch script[1] >> 5 {
		case 1:
			h.Length++
		case 2:
			h.Flags = script[1] & 3
		case 3:
			h.Seq++
		}
		fds := []int{fd, fd, fd}[:h.NFDs]
		if err := unix.Sendmsg(fd, append(h.Append(nil), body...), unix.UnixRights(fds...), nil,
			unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT); err != nil {
			return
		}
	}
	_ = unix.Sendmsg(fd, script, nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
}

func rawPair(t *testing.T, packets bool) (*transport.Conn, int) {
	typ := unix.SOCK_STREAM
	if packets {
		typ = unix.SOCK_SEQPACKET
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := transport.Take(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	return c, fds[1]
}

// good is the opening of an honest child, its "ready", EXEC and end.
var good = []byte{2, 1, 3, 4, 2, 4, 5, 0, 5, 9, 0, 0}

// Whatever a child sends, its parent ends with a verdict, and success requires EXEC.
func FuzzParent(f *testing.F) {
	f.Add(true, good)
	f.Add(false, good)
	f.Add(true, []byte{8, 0, 8})
	f.Add(false, []byte(`{"type":"procReady","flags":0}`))
	f.Add(true, append(good[:6:6], 7, 0, 7, 8, 0, 14, 5, 0, 11))
	f.Add(true, append(good[:6:6], 0xc5, 0, 6, 5, 0x20, 5))
	f.Fuzz(func(t *testing.T, packets bool, script []byte) {
		c, fd := rawPair(t, packets)
		p, err := transport.NewParent(c, container.InitProfile(), transport.Options{Codecs: []codec.Codec{codec.JSON()},
			Deadlines: veryShort})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { hostile(fd, script) })
		err = p.Open(t.Context(), syncproto.MapValue(), nil)
		for err == nil {
			var req *transport.Request
			if req, err = p.Next(t.Context()); err == nil {
				transport.CloseAll(req.FDs)
				if err = p.Reply(t.Context(), syncproto.Value{}); err != nil {
					err = p.Abort(t.Context(), err) // a row may want a descriptor with its reply
				}
			}
		}
		var failure *transport.Failure
		if err != io.EOF && (!errors.As(err, &failure) || failure.Error() == "" || failure.Outcome <= syncproto.Success) {
			t.Fatalf("no verdict: %v", err)
		}
		if (err == io.EOF) != (p.Verdict().Outcome == syncproto.Success) {
			t.Fatalf("%v and %+v", err, p.Verdict())
		}
	})
}

// Whatever a parent sends, its child ends, and sends EXEC only after "run".
func FuzzChild(f *testing.F) {
	for _, packets := range []bool{true, false} {
		f.Add(packets, []byte{1, 0, 13, 3, 0, 1, 6, 3, 10})
		f.Add(packets, []byte{1, 0, 13, 3, 0, 1, 10, 0, 9})
		f.Add(packets, []byte{1, 0, 13, 0x83, 0, 1, 8, 3, 8})
	}
	f.Fuzz(func(t *testing.T, packets bool, script []byte) {
		c, fd := rawPair(t, packets)
		p, err := transport.NewChild(c, container.InitProfile(), transport.Options{Deadlines: veryShort})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { hostile(fd, script) })
		_, fds, err := p.Accept(t.Context())
		transport.CloseAll(fds)
		if err == nil {
			err = p.Confirm(t.Context())
		}
		if err == nil {
			_, fds, err = p.Call(t.Context(), "ready", syncproto.Value{})
			transport.CloseAll(fds)
		}
		if err != nil {
			_ = p.Fail(t.Context(), err)
			return
		}
		if v := p.Verdict(); v.State != syncproto.Configured || v.Phase != "released" {
			t.Fatalf("went on in %+v", v)
		}
	})
}
