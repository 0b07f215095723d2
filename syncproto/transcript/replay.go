package transcript

import (
	"fmt"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/session"
)

// Replay replays the transcript through a Session of its role with the profile that it used, as a test: the Session
// must allow every frame that was sent, with the same header, accept every frame that was received, and come to the
// recorded end. It returns the Session's verdict and the first divergence. A transcript that ends before its
// conversation did is not a divergence.
//
// A transcript does not hold everything. A minimal body replaces one that was not recorded or that is secret, so
// arguments and digests are not compared; the size of the configuration is.
func (t *Transcript) Replay(p *syncproto.Profile) (syncproto.Verdict, error) {
	r := &replay{t: t, profile: p}
	set, err := r.settings()
	if err != nil {
		return syncproto.Verdict{}, err
	}
	if r.s, err = session.New(t.Role, set); err != nil {
		return syncproto.Verdict{}, err
	}
	for i, e := range t.Events {
		if err := r.play(e); err != nil {
			return r.s.Verdict(), fmt.Errorf("event %d, %s %s: %w", i+1, e.Header.Kind, e.Name, err)
		}
	}
	return r.s.Verdict(), nil
}

// replay is the state of replaying a transcript.
type replay struct {
	t       *Transcript
	profile *syncproto.Profile
	s       session.Session
	end     syncproto.Outcome // the recorded outcome; Undecided if the transcript ends earlier
	config  []byte            // parent: stands for the configuration
	off     int               // bytes of it that have been sent
	seq     uint16            // of the last frame that was received
	refused bool              // a frame is missing because it was refused and ended the conversation
}

// recorded is a codec, known by name, whose frames were recorded as JSON.
type recorded struct {
	codec.Codec
	name string
}

// Name returns the name in HELLO.
func (r recorded) Name() string { return r.name }

// settings returns the settings of the recording side, as far as the transcript shows them.
func (r *replay) settings() (*session.Settings, error) {
	set := &session.Settings{Profile: r.profile, Limits: syncproto.Limits{
		Config: syncproto.MaxConfig, Frames: 1<<16 - 1, Notes: 1<<16 - 1,
	}}
	offered, chosen, known := []string{"recorded"}, "", false
	for _, e := range r.t.Events {
		switch {
		case e.End != syncproto.Undecided:
			r.end = e.End
		case e.Header.Kind == syncproto.KindHello && e.Body != "":
			var h syncproto.Hello
			if err := decode(e.Body, &h); err != nil {
				return nil, fmt.Errorf("HELLO: %w", err)
			}
			offered = h.Codecs
			if e.Sent {
				set.Limits, set.Session, known = h.Limits, h.Session, true
			}
		case e.Header.Kind == syncproto.KindHelloAck && e.Body != "":
			var a syncproto.HelloAck
			if err := decode(e.Body, &a); err != nil {
				return nil, fmt.Errorf("HELLO_ACK: %w", err)
			}
			chosen = a.Codec
			if e.Sent {
				set.Limits, set.PID = a.Limits, a.PID
			}
		case e.Header.Kind == syncproto.KindConfig && e.Sent:
			if !known && e.Header.More() {
				set.Limits.Fragment = e.Header.Length // the size that the fragments had
			}
			if err := set.Limits.WithDefaults().Check(e.Header); err != nil {
				return nil, err
			}
			r.config = append(r.config, make([]byte, e.Header.Length)...)
		}
	}
	if r.t.Role == syncproto.Child && chosen != "" {
		offered = []string{chosen}
	}
	for _, name := range offered {
		set.Codecs = append(set.Codecs, recorded{codec.JSON(), name})
	}
	return set, nil
}

func decode[T any](body string, t *T) error {
	return codec.Decode(codec.JSON(), []byte(body), t, syncproto.Limits{}, true)
}

func (r *replay) play(e Event) error {
	switch {
	case e.End != syncproto.Undecided:
		return r.replayEnd(e.End)
	case e.Sent:
		return r.send(e)
	}
	return r.receive(e)
}

// send replays a frame that was sent.
func (r *replay) send(e Event) error {
	h := e.Header
	if err := r.s.Limits().Check(h); err != nil {
		return err
	}
	room := make([]byte, syncproto.HeaderSize+int(h.Length))
	f := syncproto.Frame{Kind: h.Kind, Name: e.Name, FDs: int(h.NFDs), Fail: h.Kind == syncproto.KindError && h.Re != 0}
	exact := true
	var err error
	switch word := h.Kind == syncproto.KindCancel || h.Kind == syncproto.KindError && !f.Fail; {
	case word || r.s.Due():
		if word {
			r.setOutcome(h.Kind, e.Body)
		}
		exact = false // its payload was recorded in another form, if at all
		room, err = r.s.Say(nil)
	case h.Kind == syncproto.KindConfig:
		room, r.off, err = r.s.Config(nil, r.config, r.off, f.FDs)
	default:
		room, err = r.s.Finish(room, 0, f)
	}
	if err != nil {
		return err
	}
	got, err := syncproto.ParseHeader(room)
	if err != nil {
		return err
	}
	if !exact {
		got.Length = h.Length
	}
	if got != h {
		return fmt.Errorf("it was sent as %+v, and would be as %+v", h, got)
	}
	r.s.Written()
	return nil
}

// setOutcome tells the Session why the side sent its last word.
func (r *replay) setOutcome(word syncproto.Kind, body string) {
	var report syncproto.Report
	if word == syncproto.KindError && body != "" {
		_ = decode(body, &report)
	}
	switch {
	case r.end == syncproto.TimedOut:
		r.s.Expired()
	case r.end == syncproto.Cancelled, word == syncproto.KindCancel:
		r.s.Cancel("")
	case r.end == syncproto.Violated, r.end == syncproto.PeerError:
		r.s.Violate(&syncproto.ProtocolError{Code: report.Code}) // otherwise the code would be that of a local error
	default:
		r.s.Abort(report)
	}
}

// receive replays a frame that was received.
func (r *replay) receive(e Event) error {
	h := e.Header
	r.replayRefused(h)
	r.seq = h.Seq
	var ev session.Event
	err := r.s.Admit(h)
	if err == nil {
		var payload []byte
		if payload, err = r.payload(e); err != nil {
			return err
		}
		ev, err = r.s.Receive(h, payload)
	}
	switch {
	case r.refused:
		return nil // the effect of the refused frame is unknown
	case err == nil && ev.Name != "" && ev.Name != e.Name:
		return fmt.Errorf("it is called %q, and its body says %q", e.Name, ev.Name)
	}
	return err
}

// replayRefused uses another frame in place of one that was refused, and ends the conversation because of it: a
// transcript does not contain refused frames.
func (r *replay) replayRefused(h syncproto.Header) {
	if h.Seq != r.seq+2 || r.refused {
		return
	}
	switch r.end {
	case syncproto.Violated, syncproto.PeerError:
		r.s.Violate(errRefused)
	case syncproto.LocalError: // a greeting that could not be accepted
		r.s.Abort(syncproto.Report{Code: syncproto.CodeInternal})
	default:
		return
	}
	r.refused = true
	stand := syncproto.Header{Kind: 255, Flags: syncproto.FlagSkippable, Seq: r.seq + 1}
	if r.s.Admit(stand) == nil {
		_, _ = r.s.Receive(stand, nil)
	}
}

var errRefused = &syncproto.ProtocolError{Code: syncproto.CodeDecode, Text: "a frame was refused"}

// payload returns the body of a frame that was received, or a body that stands for it.
func (r *replay) payload(e Event) ([]byte, error) {
	switch e.Header.Kind {
	case syncproto.KindConfig:
		return make([]byte, e.Header.Length), nil
	case syncproto.KindConfigOK:
		var ok syncproto.ConfigOK
		if e.Body != "" {
			if err := decode(e.Body, &ok); err != nil {
				return nil, err
			}
			if int64(ok.Size) != int64(len(r.config)) {
				return nil, fmt.Errorf("it confirms %d bytes, and %d were sent", ok.Size, len(r.config))
			}
		}
		return encode(syncproto.ConfigOK{Size: uint32(len(r.config)), Digest: syncproto.Digest(r.config)})
	case syncproto.KindExec:
		return make([]byte, e.Header.Length), nil
	}
	if e.Body != "" {
		return []byte(e.Body), nil
	}
	return r.minimalBody(e)
}

// minimalBody returns a body that contains only what the event itself says.
func (r *replay) minimalBody(e Event) ([]byte, error) {
	switch e.Header.Kind {
	case syncproto.KindHello:
		return encode(syncproto.Greeting(r.profile, []string{"recorded"}, syncproto.Limits{}, ""))
	case syncproto.KindHelloAck:
		return encode(syncproto.HelloAck{Version: syncproto.Version, Codec: "recorded", Limits: r.s.Limits()})
	case syncproto.KindRequest, syncproto.KindReply:
		return encode(syncproto.Call{Name: e.Name})
	case syncproto.KindNote:
		return encode(syncproto.Note{Level: "info"})
	case syncproto.KindError:
		return encode(syncproto.Report{Code: syncproto.CodeInternal})
	}
	return encode(syncproto.Cancel{})
}

func encode[T any](t T) ([]byte, error) {
	return codec.Encode(codec.JSON(), nil, &t, syncproto.Limits{})
}

// replayEnd replays the recorded end. If no frame has ended the conversation, the Session gets the event that did.
func (r *replay) replayEnd(want syncproto.Outcome) error {
	switch s := &r.s; want {
	case syncproto.Success, syncproto.Died:
		s.EndOfFile(false)
	case syncproto.TimedOut:
		s.Expired()
	case syncproto.Cancelled:
		s.Cancel("")
	case syncproto.Violated:
		s.Violate(errRefused)
	case syncproto.LocalError:
		s.Abort(syncproto.Report{Code: syncproto.CodeInternal})
	}
	r.s.Close() // nothing else has ended it
	if v := r.s.Verdict(); v.Outcome != want {
		return fmt.Errorf("the end was %s, and is %s in %s", want, v.Outcome, v.State)
	}
	return nil
}
