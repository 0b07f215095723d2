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

// judge is a parent's Session that goes along with a vector. It says what the vector says for as long as that is what a
// parent may say, and hears all that the child says to it: so order, bodies, the digest of the configuration and the
// end are judged as every parent judges them. Most vectors break the protocol somewhere. There it leaves, and from then
// on the child is held to what must hold of any frame (player.receive).
type judge struct {
	s      session.Session
	codec  codec.Codec
	config []byte // all of it
	off    int    // bytes that have been sent
}

// newJudge is the parent of a vector for children; nil where it does not begin with a greeting.
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

// parse takes a whole frame apart.
func parse(b []byte) (h syncproto.Header, payload []byte, ok bool) {
	h, err := syncproto.ParseHeader(b)
	if err != nil || int64(len(b)) != syncproto.HeaderSize+int64(h.Length) {
		return h, nil, false
	}
	return h, b[syncproto.HeaderSize:], true
}

// says is the parent saying b with so many descriptors; false is that no parent may.
func (j *judge) says(b []byte, fds int) bool {
	h, payload, ok := parse(b)
	if !ok || int(h.NFDs) != fds {
		return false
	}
	f := syncproto.Frame{Kind: h.Kind, FDs: fds, Fail: h.Kind == syncproto.KindError && h.Re != 0}
	var made []byte
	var err error
	switch {
	case h.Kind == syncproto.KindError && !f.Fail:
		return false // a parent that fails is owed no more than that the child ends
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

// name is that of a REQUEST or REPLY, empty for another kind.
func (j *judge) name(k syncproto.Kind, payload []byte) (name string, ok bool) {
	if k != syncproto.KindRequest && k != syncproto.KindReply {
		return "", true
	}
	var call syncproto.Call
	err := codec.Decode(j.codec, payload, &call, syncproto.Limits{}, false)
	return call.Name, err == nil
}

// hears is a frame of the child.
func (j *judge) hears(f *frame) error {
	err := j.s.Admit(f.h)
	if err == nil {
		_, err = j.s.Receive(f.h, f.payload)
	}
	return err
}

// ends is the end of file, or as much of the conversation as the vector has.
func (j *judge) ends(verdict string) error {
	j.s.EndOfFile(false)
	if v := j.s.Verdict(); (v.Outcome == syncproto.Success) != (verdict == "accept") && j.s.Over() {
		return fmt.Errorf("the conversation has ended in %v, %v", v.State, v.Outcome)
	}
	return nil
}
