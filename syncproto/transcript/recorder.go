package transcript

import (
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/transport"
)

// Options control which bodies are recorded.
type Options struct {
	Secrets  bool // keep environments and arguments as they are
	NoBodies bool // keep none at all

	Codecs []codec.Codec // in addition to those of package codec; a body in any other codec is not recorded
}

// Recorder writes a transcript. Its method Event is meant for transport.Options.Trace: it is called by one goroutine at
// a time and makes one Write for each event.
type Recorder struct {
	w      io.Writer
	o      Options
	last   time.Time
	config []byte // fragments so far
	err    error
}

var errNoWriter = errors.New("transcript: a Recorder without a writer")

// NewRecorder begins a transcript of a conversation, recorded by the side with role r. The writer still belongs to the
// caller. The first error of writing ends the recording but not the conversation; Err returns it.
func NewRecorder(w io.Writer, r syncproto.Role, o Options) *Recorder {
	rec := &Recorder{w: w, o: o, last: time.Now()}
	if w == nil {
		rec.err = errNoWriter
		return rec
	}
	_, rec.err = w.Write(append([]byte(magic), byte(r)))
	return rec
}

// Err returns the first error of writing.
func (r *Recorder) Err() error { return r.err }

// Event records e.
func (r *Recorder) Event(e transport.Event) {
	if r.w == nil && r.err == nil {
		r.err = errNoWriter
	}
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

// body returns the payload as JSON. The body of CONFIG is recorded with its last fragment.
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
		return "" // the receiver of the frame reports what is wrong with it
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

// redact replaces the contents of all fields named env and args, at any depth.
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
				fields[i].Value = redactedMark(f.Value)
			}
		}
		return syncproto.MapValue(fields...)
	}
	return v
}

// redactedMark says how much was removed.
func redactedMark(v syncproto.Value) syncproto.Value {
	size := 0
	for _, e := range v.List() {
		s, _ := e.Text()
		size += len(s)
	}
	return syncproto.StringValue("[" + strconv.Itoa(len(v.List())) + " values of " + strconv.Itoa(size) +
		" bytes are not shown]")
}
