package transcript

import (
	"encoding/binary"
	"io"
	"strconv"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/transport"
)

// Options say what is kept of bodies.
type Options struct {
	Secrets  bool // keep environments and arguments as they are
	NoBodies bool // keep none at all

	Codecs []codec.Codec // beside those of package codec: a body in another one is not kept
}

// Recorder writes a transcript. Its method Event is what transport.Options.Trace wants: called by one goroutine at a
// time, it makes one Write for each event.
type Recorder struct {
	w      io.Writer
	o      Options
	last   time.Time
	config []byte // fragments so far
	err    error
}

// NewRecorder begins a transcript of a conversation in which its user has the role r. The writer stays the caller's. A
// first error of writing ends the recording: it is Err's to tell, for a record that cannot be kept must not end the
// conversation.
func NewRecorder(w io.Writer, r syncproto.Role, o Options) *Recorder {
	rec := &Recorder{w: w, o: o, last: time.Now()}
	_, rec.err = w.Write(append([]byte(magic), byte(r)))
	return rec
}

// Err is the first error of writing.
func (r *Recorder) Err() error { return r.err }

// Event writes e down.
func (r *Recorder) Event(e transport.Event) {
	if r.err != nil {
		return
	}
	now := time.Now()
	b := binary.AppendUvarint(nil, uint64(max(now.Sub(r.last), 0)))
	r.last = now
	body, flags := r.body(e), byte(0)
	name := e.Name
	if e.Sent {
		flags |= flagSent
	}
	if body != "" {
		flags |= flagBody
	}
	if e.End != syncproto.Undecided {
		flags |= flagEnd
		if e.Err != nil {
			name = e.Err.Error()
		}
	}
	b = append(b, flags, byte(e.State), byte(e.End))
	b = e.Header.Append(b)
	b = appendString(appendString(b, name), e.Phase)
	if body != "" {
		b = appendString(b, body)
	}
	record := append(binary.AppendUvarint(nil, uint64(len(b))), b...)
	_, r.err = r.w.Write(record)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// body is the payload as JSON. That of CONFIG stands with its last fragment.
func (r *Recorder) body(e transport.Event) string {
	payload := e.Payload
	if e.Header.Kind == syncproto.KindConfig {
		r.config = append(r.config, payload...)
		if e.Header.More() {
			return ""
		}
		payload, r.config = r.config, nil
	}
	if r.o.NoBodies || len(payload) == 0 {
		return ""
	}
	c, ok := codec.Find(append(codec.BuiltIn(), r.o.Codecs...), e.Codec)
	if !ok {
		return ""
	}
	v, err := c.Decode(payload, syncproto.Limits{Depth: codec.MaxDepth})
	if err != nil {
		return "" // the reader of the frame says what is wrong with it
	}
	if !r.o.Secrets {
		v = redact(v)
	}
	text, err := codec.JSON().Append(nil, v)
	if err != nil || len(text) > maxRecord/2 {
		return ""
	}
	return string(text)
}

// redact replaces what fields named env and args hold, wherever they stand.
func redact(v syncproto.Value) syncproto.Value {
	switch v.Kind() {
	case syncproto.List:
		list := make([]syncproto.Value, len(v.List()))
		for i, e := range v.List() {
			list[i] = redact(e)
		}
		return syncproto.ListValue(list...)
	case syncproto.Map:
		fields := make([]syncproto.Field, len(v.Fields()))
		for i, f := range v.Fields() {
			fields[i] = syncproto.Field{Name: f.Name, Value: redact(f.Value)}
			if (f.Name == "env" || f.Name == "args") && !f.Value.IsNull() {
				fields[i].Value = mark(f.Value)
			}
		}
		return syncproto.MapValue(fields...)
	}
	return v
}

// mark says how much was taken out.
func mark(v syncproto.Value) syncproto.Value {
	size := 0
	for _, e := range v.List() {
		s, _ := e.Text()
		size += len(s)
	}
	return syncproto.StringValue("[" + strconv.Itoa(len(v.List())) + " values of " + strconv.Itoa(size) +
		" bytes are not shown]")
}
