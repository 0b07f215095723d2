package conformance

import (
	"bytes"
	"fmt"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/session"
	"github.com/handfast/handfast/syncproto/vectors"
)

// judge is a parent's Session that follows a vector. It sends what the vector sends as long as a parent may send it,
// and receives everything that the child sends. So the order, the bodies, the digest of the configuration and the end
// are checked as by any parent. Most vectors violate the protocol at some point. There the judge stops, and from then
// on only the checks for every frame apply to the child (player.receive).
type judge struct {
	s      session.Session
	codec  codec.Codec
	config []byte // all of it
	off    int    // bytes of it that have been sent
}

// newJudge returns the judge for a vector for children, or nil if the vector does not begin with a greeting.
func newJudge(v *vectors.Vector, c codec.Codec) *judge {
	var hello syncproto.Hello
	j := &judge{codec: c}
	for i := range v.Steps {
		switch h, payload, ok := parse(v.Steps[i].Data); {
		case !ok:
		case h.Kind == syncproto.KindHello && hello.Codecs == nil:
			if err := codec.Decode(codec.JSON(), payload, &hello, syncproto.Limits{}, true); err != nil {
				return nil
			}
		case h.Kind == syncproto.KindConfig:
			j.config = append(j.config, payload...)
		}
	}
	set := &session.Settings{Profile: container.InitProfile(), Limits: hello.Limits, Session: hello.Session}
	for _, name := range hello.Codecs {
		known, ok := codec.Find(codec.BuiltIn(), name)
		if !ok {
			return nil
		}
		set.Codecs = append(set.Codecs, known)
	}
	var err error
	if j.s, err = session.New(syncproto.Parent, set); err != nil || v.Kind != vectors.KindChild {
		return nil
	}
	return j
}

// parse splits a whole frame into header and payload.
func parse(b []byte) (h syncproto.Header, payload []byte, ok bool) {
	h, err := syncproto.ParseHeader(b)
	if err != nil || int64(len(b)) != syncproto.HeaderSize+int64(h.Length) {
		return h, nil, false
	}
	return h, b[syncproto.HeaderSize:], true
}

// send lets the Session send b with that many descriptors. It returns false if no parent may send it.
func (j *judge) send(b []byte, fds int) bool {
	h, payload, ok := parse(b)
	if !ok || int(h.NFDs) != fds {
		return false
	}
	f := syncproto.Frame{Kind: h.Kind, FDs: fds, Fail: h.Kind == syncproto.KindError && h.Re != 0}
	var made []byte
	var err error
	switch {
	case h.Kind == syncproto.KindError && !f.Fail:
		return false // after a parent has failed, the child only has to end
	case h.Kind == syncproto.KindCancel:
		j.s.Cancel("")
		if made, err = j.s.Say(nil); err == nil {
			made = append(made[:syncproto.HeaderSize-4], b[syncproto.HeaderSize-4:]...) // the reason is the vector's
		}
	case h.Kind == syncproto.KindConfig:
		made, j.off, err = j.s.Config(nil, j.config, j.off, fds)
	default:
		if f.Name, ok = j.name(h.Kind, payload); !ok {
			return false
		}
		made, err = j.s.Finish(bytes.Clone(b), 0, f)
	}
	if err != nil || !bytes.Equal(made, b) {
		return false
	}
	j.s.Written()
	return true
}

// name returns the name of a REQUEST or REPLY, and the empty string for other kinds.
func (j *judge) name(k syncproto.Kind, payload []byte) (name string, ok bool) {
	if k != syncproto.KindRequest && k != syncproto.KindReply {
		return "", true
	}
	var call syncproto.Call
	err := codec.Decode(j.codec, payload, &call, syncproto.Limits{}, false)
	return call.Name, err == nil
}

// receive passes a frame of the child to the Session.
func (j *judge) receive(f *frame) error {
	err := j.s.Admit(f.h)
	if err == nil {
		_, err = j.s.Receive(f.h, f.payload)
	}
	return err
}

// end handles end of file, or the end of the vector.
func (j *judge) end(verdict string) error {
	j.s.EndOfFile(false)
	if v := j.s.Verdict(); (v.Outcome == syncproto.Success) != (verdict == "accept") && j.s.Over() {
		return fmt.Errorf("the conversation has ended in %v, %v", v.State, v.Outcome)
	}
	return nil
}
