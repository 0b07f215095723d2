package transport

import "github.com/handfast/handfast/syncproto"

// Event is one frame that was sent or received, or the end.
type Event struct {
	Sent   bool // by this side
	Header syncproto.Header
	Name   string          // the request's or reply's
	State  syncproto.State // of this side's machine, after the frame
	Phase  string          // of the profile, after the frame

	Payload []byte            // of the frame, valid during the call only
	Codec   string            // name of the payload's codec
	End     syncproto.Outcome // at the end: the outcome; Undecided for a frame
	Err     error             // at the end: the Failure; nil for success
}

func (d *driver) traceSent() {
	if d.o.Trace == nil {
		return
	}
	h, err := syncproto.ParseHeader(d.buf)
	if err == nil {
		d.trace(true, h, d.name, d.buf[syncproto.HeaderSize:])
	}
}

func (d *driver) traceReceived(h syncproto.Header, name string, payload []byte) {
	if d.o.Trace != nil {
		d.trace(false, h, name, payload)
	}
}

func (d *driver) trace(sent bool, h syncproto.Header, name string, payload []byte) {
	e := Event{Sent: sent, Header: h, Name: name, State: d.s.State(), Phase: d.s.Phase(), Payload: payload}
	e.Codec = d.s.Codec(h.Kind).Name()
	d.runCallback(func() { d.o.Trace(e) })
}

// traceEnd reports the end.
func (d *driver) traceEnd() {
	if d.o.Trace == nil {
		return
	}
	e := Event{End: syncproto.Success, State: d.s.State(), Phase: d.s.Phase()}
	if f, ok := d.end.(*Failure); ok {
		e.End, e.State, e.Phase, e.Err = f.Outcome, f.State, f.Phase, f
	}
	d.runCallback(func() { d.o.Trace(e) })
}
