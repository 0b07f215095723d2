package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// inHead returns the mistakes that today's runc still makes.
func inHead() []mistake {
	return []mistake{
		{ref: "H1", was: "a parent that could not do what it was asked closed the socket, and the child said EOF",
			is:   "the parent refuses, and its error is the child's",
			then: parentFallsSilent, now: parentRefuses},
		{ref: "H2", was: "a request that the configuration had no use for was a nil pointer",
			is: "the configuration narrows the table, on both sides", then: requestWithoutConfig,
			now: narrowedTable},
		{ref: "H3", was: "a decoder on packets lost what was over its first buffer", is: "a packet is read whole",
			then: decoderOnPackets, now: largePackets},
		{ref: "H4", was: "ready twice was run twice", is: "a row says how often, and run ends its phase", then: readyTwice,
			now: readyOnce},
	}
}

// packet is a message of HEAD.
type packet struct {
	Type  string          `json:"type"`
	Flags int             `json:"flags"`
	Arg   json.RawMessage `json:"arg,omitempty"`
}

func readPacket(e *end) (p packet, err error) {
	b := make([]byte, 1<<16)
	n, err := e.Read(b)
	if err == nil {
		err = json.Unmarshal(b[:n], &p)
	}
	return p, err
}

func writePacket(e *end, typ string) error {
	b, err := json.Marshal(packet{Type: typ})
	if err == nil {
		_, err = e.Write(b)
	}
	return err
}

// parentHead is the parent of HEAD without its socket for the configuration. seccomp is the part of the configuration
// that some containers lack.
func parentHead(e *end, seccomp *string, run func()) error {
	seenReady := false
	for {
		p, err := readPacket(e)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		answer := ""
		switch p.Type {
		case "procReady":
			seenReady = true
			run()
			answer = "procRun"
		case "procHooks":
			answer = "procHooksDone"
		case "procSeccomp":
			answer = "procSeccompDone"
			if *seccomp == "" {
				return errors.New("no listener")
			}
		case "procMountPlease":
			answer = "procMountFd"
		case "procError":
			var ierr struct{ Message string }
			if err := json.Unmarshal(p.Arg, &ierr); err != nil {
				return err
			}
			return &genericError{Message: ierr.Message}
		default:
			return errors.New("invalid JSON payload from child")
		}
		if p.Type == "procMountPlease" { // announced by one packet, sent with the next
			b, _ := json.Marshal(packet{Type: answer, Flags: 1, Arg: json.RawMessage(`{"source":"/srv/data"}`)})
			if err := errors.Join(e.send(b), e.send([]byte("/srv/data"), e.fd)); err != nil {
				return err
			}
		} else if err := writePacket(e, answer); err != nil {
			return err
		}
	}
	if !seenReady {
		return errors.New("procReady not received")
	}
	return nil
}

// TestParentOfHead plays the transcripts of HEAD with its parent.
func TestParentOfHead(t *testing.T) {
	for _, tr := range transcripts(t) {
		if tr.profile != "head" {
			continue
		}
		t.Run(tr.name, func(t *testing.T) {
			parent, child := sockets(t, tr.profile)
			done := make(chan error, 1)
			go func() { done <- child.play(tr) }()
			for _, l := range tr.lines { // its opening is on the other socket, which is played
				if l.init {
					if err := parent.line(l); err != nil {
						t.Fatal(err)
					}
				}
			}
			listener, got := "/run/listener", "success"
			var ierr *genericError
			if err := survive(func() error { return parentHead(parent.wire.e, &listener, func() {}) }); errors.As(err, &ierr) {
				got = "error: " + ierr.Message
			} else if err != nil {
				t.Error(err)
			}
			if got != tr.historic {
				t.Errorf("%s, want %s", got, tr.historic)
			}
			parent.wire.e.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func parentFallsSilent(t *testing.T) {
	parent, child := pair(t, unix.SOCK_SEQPACKET)
	err := writePacket(child, "procMountPlease")
	if _, err2 := readPacket(parent); err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	parent.Close() // the mount's source does not exist, and there is no message for that
	if _, err := readPacket(child); err != io.EOF {
		t.Errorf("the child knows: %v", err)
	}
}

func parentRefuses(t *testing.T) {
	told := make(chan error, 1)
	p := peers(t, transport.SeqPacket, container.InitProfile(), func(ctx context.Context, child *transport.Child) error {
		_, fds, err := child.Call(ctx, "mount", syncproto.Value{})
		transport.CloseAll(fds)
		told <- err
		return err
	})
	if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = p.Decline(t.Context(), fmt.Errorf("mount: %w", &fs.PathError{Op: "open", Path: "/srv/data", Err: unix.ENOENT}))
	err := <-told
	var path *fs.PathError
	var refused *transport.Refused
	if !errors.As(err, &refused) || !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &path) || path.Path != "/srv/data" {
		t.Errorf("the child was told %v", err)
	}
}

func requestWithoutConfig(t *testing.T) {
	parent, child := pair(t, unix.SOCK_SEQPACKET)
	if err := writePacket(child, "procSeccomp"); err != nil {
		t.Fatal(err)
	}
	if err := survive(func() error { return parentHead(parent, nil, nil) }); err == nil ||
		!strings.Contains(err.Error(), "nil pointer dereference") {
		t.Errorf("%v", err)
	}
}

func narrowedTable(t *testing.T) {
	narrow := container.InitProfile().Forbid("seccomp")
	p := against(t, transport.SeqPacket, container.InitProfile(), func(r *raw) {
		r.open()
		r.send(syncproto.KindRequest, 0, `{"name":"ready","arg":null}`)
		r.recv()
		r.send(syncproto.KindRequest, 0, `{"name":"seccomp","arg":7}`)
		r.recv()
	})
	if err := p.Narrow(narrow); err != nil {
		t.Fatal(err)
	}
	requests, err := serve(t, p)
	if f := want(t, err, syncproto.Violated); requests != "ready" || f.Phase != "released" {
		t.Errorf("requests %q, %v", requests, f)
	}
}

func decoderOnPackets(t *testing.T) {
	parent, child := pair(t, unix.SOCK_SEQPACKET)
	b, err := json.Marshal(packet{Type: "procReady", Arg: json.RawMessage(`"` + strings.Repeat("x", 600) + `"`)})
	if err == nil {
		_, err = child.Write(b)
	}
	if err := errors.Join(err, child.shut()); err != nil {
		t.Fatal(err)
	}
	var p packet
	if err := json.NewDecoder(parent).Decode(&p); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d bytes: %v, want %v", len(b), err, io.ErrUnexpectedEOF)
	}
}

func largePackets(t *testing.T) {
	for _, n := range []int{511, 512, 513, 4096, 60_000} {
		arg := syncproto.StringValue(strings.Repeat("x", n))
		p := peers(t, transport.SeqPacket, container.InitProfile(), func(ctx context.Context, child *transport.Child) error {
			if _, _, err := child.Call(ctx, "hooks", arg); err != nil {
				return err
			}
			return goAhead(ctx, child)
		})
		if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
			t.Fatal(err)
		}
		req, err := p.Next(t.Context())
		if err != nil || !req.Arg.Equal(arg) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func readyTwice(t *testing.T) {
	parent, child := pair(t, unix.SOCK_SEQPACKET)
	if err := errors.Join(writePacket(child, "procReady"), writePacket(child, "procReady"), child.shut()); err != nil {
		t.Fatal(err)
	}
	ran := 0
	if err := parentHead(parent, nil, func() { ran++ }); err != nil || ran != 2 {
		t.Errorf("ran %d times, %v", ran, err)
	}
}

func readyOnce(t *testing.T) {
	requests, err := serve(t, against(t, transport.SeqPacket, container.InitProfile(), func(r *raw) {
		r.open()
		for range 2 {
			r.send(syncproto.KindRequest, 0, `{"name":"ready","arg":null}`)
			r.recv()
		}
	}))
	want(t, err, syncproto.Violated)
	if requests != "ready" {
		t.Errorf("requests %q, want ready", requests)
	}
}
