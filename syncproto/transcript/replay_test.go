package transcript_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transcript"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/transport/transporttest"
)

// raw is a frame that a peer writes directly.
type raw struct {
	h    syncproto.Header
	body string
}

func frame(k syncproto.Kind, seq uint16, body string) raw {
	return raw{syncproto.Header{Kind: k, Seq: seq, Length: uint32(len(body))}, body}
}

const (
	note   = `{"level":"info","text":"a line"}`
	failed = `{"code":"setup","role":"child","nodes":[]}`
)

// However a conversation ends, its transcript replays to that end and to no other, with and without bodies.
func TestReplayOfEveryEnd(t *testing.T) {
	quick := transport.Deadlines{Hello: 50 * time.Millisecond, Grace: 20 * time.Millisecond}
	for _, tt := range []struct {
		name   string
		said   []raw
		closes bool
		cancel bool
		want   syncproto.Outcome
	}{
		{"death", nil, true, false, syncproto.Died},
		{"silence", nil, false, false, syncproto.TimedOut},
		{"silence after a NOTE too early", []raw{frame(syncproto.KindNote, 1, note)}, false, false, syncproto.Violated},
		{"cancelled before it began", nil, false, true, syncproto.Cancelled},
		{"an ERROR", []raw{frame(syncproto.KindError, 1, failed)}, true, false, syncproto.PeerError},
		{"an ERROR that is none", []raw{frame(syncproto.KindError, 1, `{`)}, true, false, syncproto.PeerError},
		{"a violation", []raw{frame(syncproto.KindExec, 1, "")}, true, false, syncproto.Violated},
		{"a violation, and more", []raw{
			frame(syncproto.KindConfigOK, 1, `{"size":1,"digest":""}`), frame(syncproto.KindNote, 2, note),
		}, true, false, syncproto.Violated},
		{"a violation, and an ERROR", []raw{
			frame(syncproto.KindHelloAck, 1, `{}`), frame(syncproto.KindError, 2, failed),
		}, true, false, syncproto.PeerError},
		{"a wrong number", []raw{frame(syncproto.KindError, 7, failed)}, true, false, syncproto.Violated},
	} {
		for _, o := range []transcript.Options{{}, {NoBodies: true}} {
			name := tt.name
			if o.NoBodies {
				name += ", without bodies"
			}
			t.Run(name, func(t *testing.T) {
				var b bytes.Buffer
				d := quick
				if tt.closes { // nothing waits for a deadline, so none may pass on a slow machine
					d = transport.Deadlines{}
				}
				mine, theirs := transporttest.Memory(transport.SeqPacket, 0)
				p, err := transport.NewParent(mine, container.InitProfile(), transport.Options{
					Deadlines: d, Trace: transcript.NewRecorder(&b, syncproto.Parent, o).Event,
				})
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				defer theirs.Close()
				for _, f := range tt.said {
					if err := theirs.WriteFrame(f.h, []byte(f.body), nil); err != nil {
						t.Fatal(err)
					}
				}
				if tt.closes {
					_ = theirs.CloseWrite()
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.cancel {
					cancel()
				}
				err = p.Open(ctx, syncproto.MapValue(), nil)
				if got := p.Verdict().Outcome; got != tt.want {
					t.Fatalf("%v, want %v: %v", got, tt.want, err)
				}
				checkPlays(t, b.Bytes(), tt.want)
			})
		}
	}
}

// checkPlays checks that a transcript replays to an end, and to no other.
func checkPlays(t *testing.T, b []byte, want syncproto.Outcome) {
	t.Helper()
	tr := read(t, b)
	v, err := tr.Replay(container.InitProfile())
	if err != nil || v.Outcome != want {
		t.Errorf("it plays to %v, want %v: %v", v.Outcome, want, err)
	}
	last := &tr.Events[len(tr.Events)-1]
	if last.End != want {
		t.Fatalf("the end is %v, want %v", last.End, want)
	}
	for _, other := range []syncproto.Outcome{syncproto.Success, syncproto.PeerError} {
		if last.End = other; other == want {
			continue
		}
		if v, err := tr.Replay(container.InitProfile()); err == nil {
			t.Errorf("it plays to %v too: %+v", other, v)
		}
	}
}

// The transcript of a child that cannot accept the greeting replays, although the greeting is not in it.
func TestReplayOfAGreetingThatWasRefused(t *testing.T) {
	var b bytes.Buffer
	mine, theirs := transporttest.Memory(transport.SeqPacket, 0)
	c, err := transport.NewChild(mine, container.InitProfile(), transport.Options{
		Trace: transcript.NewRecorder(&b, syncproto.Child, transcript.Options{}).Event,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, err := transport.NewParent(theirs, container.SetnsProfile(), transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	done := make(chan error, 1)
	go func() { done <- p.Open(context.Background(), syncproto.MapValue(), nil) }()
	_, _, err = c.Accept(t.Context())
	if got := c.Verdict().Outcome; got != syncproto.LocalError {
		t.Fatalf("%v: %v", got, err)
	}
	if err := <-done; p.Verdict().Outcome != syncproto.PeerError {
		t.Errorf("%v", err)
	}
	checkPlays(t, b.Bytes(), syncproto.LocalError)
}

// Bodies are compared with what the frames say.
func TestReplayComparesBodies(t *testing.T) {
	parent, child := record(t, transcript.Options{}, nil, false)
	find := func(tr *transcript.Transcript, k syncproto.Kind) *transcript.Event {
		for i := range tr.Events {
			if tr.Events[i].Header.Kind == k {
				return &tr.Events[i]
			}
		}
		t.Fatalf("there is no %v", k)
		return nil
	}
	for name, edit := range map[string]func(p, c *transcript.Transcript){
		"the name of a request": func(p, _ *transcript.Transcript) {
			e := find(p, syncproto.KindRequest)
			e.Body = strings.Replace(e.Body, "ready", "hooks", 1)
		},
		"the size that is confirmed": func(p, _ *transcript.Transcript) {
			e := find(p, syncproto.KindConfigOK)
			e.Body = strings.Replace(e.Body, `"size":`, `"size":1`, 1)
		},
		"the table": func(_, c *transcript.Transcript) {
			e := find(c, syncproto.KindHello)
			e.Body = strings.Replace(e.Body, `"hash":"`, `"hash":"0`, 1)
		},
		"the codec": func(p, _ *transcript.Transcript) {
			e := find(p, syncproto.KindHelloAck)
			e.Body = strings.Replace(e.Body, `"codec":"`, `"codec":"x`, 1)
		},
		"the limits": func(p, _ *transcript.Transcript) {
			e := find(p, syncproto.KindHello)
			e.Body = strings.Replace(e.Body, `"fragment":32768`, `"fragment":4096`, 1)
		},
	} {
		p, c := read(t, parent.Bytes()), read(t, child.Bytes())
		edit(p, c)
		if _, err := p.Replay(container.InitProfile()); err != nil {
			continue
		}
		if _, err := c.Replay(container.InitProfile()); err == nil {
			t.Errorf("%s was changed, and both sides play", name)
		}
	}
	// Without bodies nothing can be compared, and the transcript replays.
	parent, child = record(t, transcript.Options{NoBodies: true}, nil, false)
	for _, b := range []io.Reader{parent, child} {
		tr, err := transcript.Read(b)
		if err == nil {
			_, err = tr.Replay(container.InitProfile())
		}
		if err != nil {
			t.Error(err)
		}
	}
}
