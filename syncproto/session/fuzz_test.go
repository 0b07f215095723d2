package session_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/session"
)

// script reads the bytes of a fuzz target, and zeros after their end.
type script struct{ b []byte }

func (s *script) byte() byte {
	if len(s.b) == 0 {
		return 0
	}
	b := s.b[0]
	s.b = s.b[1:]
	return b
}

func (s *script) bytes(n int) []byte {
	n = min(n, len(s.b))
	b := s.b[:n]
	s.b = s.b[n:]
	return b
}

// sane are valid payloads by kind; for other kinds the script makes the payload.
var sane = map[syncproto.Kind][]string{
	syncproto.KindConfig:   {string(config), `{"a":`, `1}`},
	syncproto.KindConfigOK: {`{"size":14,"digest":"` + syncproto.Digest(config) + `"}`, `{"size":1,"digest":""}`},
	syncproto.KindRequest:  {`{"name":"open","arg":null}`, `{"name":"what","arg":{"a":[1]}}`, `{"name":"go","arg":1}`},
	syncproto.KindReply:    {`{"name":"opened","arg":null}`, `{"name":"that","arg":"x"}`, `{"name":"going","arg":1}`},
	syncproto.KindNote:     {`{"level":"info","text":"a line"}`, `{"level":"loud","text":""}`},
	syncproto.KindExec:     {``, `null`},
	syncproto.KindError:    {`{"code":"setup","role":"child","nodes":[]}`, `{"code":"cancelled","role":"","nodes":[]}`},
	syncproto.KindCancel:   {`{"reason":"enough"}`, `{}`},
}

// twins are a Session and a copy of it, which get the same inputs and must behave alike.
type twins struct {
	t       *testing.T
	s, copy session.Session
	over    syncproto.Verdict // at the end
	words   int               // last words that have been made
}

// both gives the two the same input. The results must be equal too.
func (w *twins) both(name string, do func(s *session.Session) []any) {
	w.t.Helper()
	wasOver := w.s.Over()
	a, b := do(&w.s), do(&w.copy)
	if w.s != w.copy {
		w.t.Fatalf("after %s, equal Sessions differ: %+v and %+v", name, w.s, w.copy)
	}
	if !reflect.DeepEqual(a, b) {
		w.t.Fatalf("after %s, equal Sessions return %v and %v", name, a, b)
	}
	switch v := w.s.Verdict(); {
	case wasOver && !w.s.Over():
		w.t.Fatalf("%s starts again what was over", name)
	case wasOver && v != w.over:
		w.t.Fatalf("%s ends what was over: %+v, and now %+v", name, w.over, v)
	case w.s.Over() && v.Outcome == syncproto.Undecided, !w.s.Live() && v.Outcome == syncproto.Undecided:
		w.t.Fatalf("after %s it has ended without a verdict", name)
	case w.s.Over():
		w.over = v
	}
}

// FuzzSession gives a Session any inputs that a peer, a kernel and a caller might produce.
func FuzzSession(f *testing.F) {
	for role := range byte(2) {
		for state := range byte(5) {
			for kind := range byte(12) {
				f.Add(role, state, []byte{0, kind, 0, 0, 0, 0, 1, 0})
				f.Add(role, state, []byte{2, 0, 0, kind, 0, 1, 0, 0, 3, 5, 4, 4, 7, 8})
			}
			f.Add(role, state, []byte("\x01SY\x01\x0a\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02{}"))
		}
	}
	f.Fuzz(func(t *testing.T, role, state byte, data []byte) {
		p, c := at(t, syncproto.State(state%5))
		e := p
		if role%2 == 1 {
			e = c
		}
		w := &twins{t: t, s: e.s, copy: e.s}
		in := &script{data}
		seq := seqTo(e)
		for n := 0; len(in.b) > 0 && n < 64; n++ {
			w.play(in, &seq)
		}
		w.both("Close", func(s *session.Session) []any { s.Close(); return nil })
		if !w.s.Over() {
			t.Fatal("not over after Close")
		}
		checkFinished(t, w.s)
	})
}

// play is one input.
func (w *twins) play(in *script, seq *uint16) {
	switch op := in.byte() % 14; op {
	case 0, 2:
		w.frame(in, seq, op == 2)
	case 1:
		raw := in.bytes(int(in.byte()))
		w.both("raw bytes", func(s *session.Session) []any { return w.arrives(s, raw) })
	case 3:
		if w.s.Due() {
			w.sendDue()
		}
	case 4:
		w.both("Written", func(s *session.Session) []any { s.Written(); return nil })
	case 5:
		gone := in.byte()%2 == 0
		w.both("WriteFailed", func(s *session.Session) []any { s.WriteFailed(gone); return nil })
	case 6:
		torn := in.byte()%2 == 0
		w.both("EndOfFile", func(s *session.Session) []any { s.EndOfFile(torn); return nil })
	case 7:
		w.both("Expired", func(s *session.Session) []any { s.Expired(); return nil })
	case 8:
		torn := in.byte()%2 == 0
		w.both("Quiet", func(s *session.Session) []any { s.Quiet(torn); return nil })
	case 9:
		w.both("Exited", func(s *session.Session) []any { s.Exited(); return nil })
	case 10:
		w.both("ReadFailed", func(s *session.Session) []any { s.ReadFailed(); return nil })
	case 11:
		code := syncproto.Code(in.bytes(int(in.byte() % 16)))
		w.both("Abort", func(s *session.Session) []any { s.Abort(syncproto.Report{Code: code}); return nil })
	case 12:
		reason := string(in.bytes(int(in.byte())))
		w.both("Cancel", func(s *session.Session) []any { s.Cancel(reason); return nil })
	case 13:
		w.decides(in)
	}
}

// frame makes a frame that is well-formed more often than by pure chance.
func (w *twins) frame(in *script, seq *uint16, odd bool) {
	h := syncproto.Header{Kind: syncproto.Kind(in.byte() % 12), NFDs: in.byte() % 3, Seq: *seq}
	h.Re = uint16(in.byte() % 4)
	flags := in.byte()
	if h.Flags = flags % 4; odd {
		h.Seq, h.Flags = h.Seq+uint16(in.byte()%2), flags
	}
	payload := ""
	if list := sane[h.Kind]; len(list) > 0 && in.byte()%4 != 0 {
		payload = list[int(in.byte())%len(list)]
	} else {
		payload = string(in.bytes(int(in.byte())))
	}
	raw := frameBytes(h, payload)
	*seq++
	w.both("a frame of kind "+h.Kind.String(), func(s *session.Session) []any { return w.arrives(s, raw) })
}

// arrives does what a driver does with a frame. Afterwards the driver reuses its bytes.
func (w *twins) arrives(s *session.Session, raw []byte) []any {
	buffer := bytes.Clone(raw)
	if len(raw) < syncproto.HeaderSize {
		s.EndOfFile(true)
		return nil
	}
	ev, err := receive(s, buffer)
	ev.Bytes = bytes.Clone(ev.Bytes)
	clear(buffer)
	if err != nil {
		if ev.Kind != session.Nothing {
			w.t.Fatalf("an event %+v with the error %v", ev, err)
		}
		return []any{err.Error()}
	}
	return []any{ev.Kind, ev.Name, ev.Arg.String(), ev.Bytes, ev.Last, ev.Note, ev.Report, ev.Text}
}

// sendDue sends the frame that is due.
func (w *twins) sendDue() {
	word := !w.s.Live()
	w.both("Say", func(s *session.Session) []any {
		b, err := s.Say(nil)
		if err != nil {
			return []any{len(b), err.Error()}
		}
		h, err := syncproto.ParseHeader(b)
		if err != nil || int(h.Length) != len(b)-syncproto.HeaderSize {
			w.t.Fatalf("it makes %q, which is no frame: %v", b, err)
		}
		if word != s.Saying() || word && h.Kind != syncproto.KindError && h.Kind != syncproto.KindCancel {
			w.t.Fatalf("its last word is %v, or is not its last", h.Kind)
		}
		return []any{b}
	})
	if w.s.Saying() {
		if w.words++; w.words > 1 {
			w.t.Fatal("a second last word")
		}
	}
}

// decides lets the caller make a frame, if the Session allows one.
func (w *twins) decides(in *script) {
	choice := in.byte() % 8
	live := w.s.Live()
	w.both("a caller's decision", func(s *session.Session) []any {
		was := *s
		b, err := makeFrame(s, choice)
		if err != nil {
			if *s != was || len(b) > 0 {
				w.t.Fatalf("the refusal %v has changed the Session, or made %q", err, b)
			}
			return []any{err.Error()}
		}
		if !live {
			w.t.Fatalf("after the end it makes %q", b)
		}
		return []any{b}
	})
}

func makeFrame(s *session.Session, choice byte) (b []byte, err error) {
	switch choice {
	case 0:
		return s.Hello(nil)
	case 1:
		b, _, err = s.Config(nil, config, 0, 0)
		return b, err
	case 2:
		return s.Confirm(nil, config)
	case 3:
		return s.Call(nil, syncproto.KindRequest, syncproto.Call{Name: "open"}, 0)
	case 4:
		return s.Call(nil, syncproto.KindReply, syncproto.Call{Name: s.ReplyName()}, 0)
	case 5:
		return s.Refuse(nil, syncproto.Report{Code: syncproto.CodeSetup})
	case 6:
		return s.Note(nil, syncproto.Note{Level: "info", Text: "a line"})
	}
	return s.Exec(nil)
}
