package vectors

import (
	"strconv"
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
)

// script makes one conversation, as sent by the side that is not under test.
type script struct {
	t     testing.TB
	v     Vector
	codec codec.Codec
	seq   uint16
}

func newScript(t testing.TB, kind Kind, name, codecName, section, about string) *script {
	c, ok := codec.Find(codec.BuiltIn(), codecName)
	if !ok {
		t.Fatal(codecName)
	}
	return &script{t: t, codec: c, v: Vector{Name: string(kind) + "/" + name, Kind: kind, Codec: codecName, Socket: "both",
		Profile: "init", About: about, Section: section}}
}

// frame is a frame being made, for edits that make it invalid.
type frame struct {
	h       syncproto.Header
	payload []byte
	fds     int
	spoil   func(b []byte) []byte
}

func (s *script) send(k syncproto.Kind, re uint16, payload []byte, edits ...func(*frame)) {
	s.seq++
	f := frame{h: syncproto.Header{Kind: k, Seq: s.seq, Re: re}, payload: payload}
	f.h.Length = uint32(len(payload))
	for _, e := range edits {
		e(&f)
	}
	b := append(f.h.Append(nil), f.payload...)
	if f.spoil != nil {
		b = f.spoil(b)
	}
	s.raw(b, f.fds)
}

func (s *script) raw(b []byte, fds int) {
	s.v.Data = append(s.v.Data, b...)
	s.v.Steps = append(s.v.Steps, Step{Do: "send", Data: b, FDs: fds})
}

// expect adds a frame of the side under test: its kind, then name=value.
func (s *script) expect(kind string, wants ...string) {
	m := map[string]string{"kind": kind}
	for _, w := range wants {
		k, val, _ := strings.Cut(w, "=")
		m[k] = val
	}
	s.v.Steps = append(s.v.Steps, Step{Do: "expect", Want: m})
}

func (s *script) do(step string) { s.v.Steps = append(s.v.Steps, Step{Do: step}) }

func (s *script) done(verdict string) Vector {
	s.do("end")
	s.v.Verdict = verdict
	return s.v
}

func encode[T any](t testing.TB, c codec.Codec, v T) []byte {
	val, err := syncproto.ToValue(v)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Append(nil, val)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// greeting is the HELLO of these vectors.
func greeting(codecs ...string) syncproto.Hello {
	return syncproto.Greeting(container.InitProfile(), codecs, syncproto.Limits{}, "")
}

// harmless is a configuration that any process may carry out.
func harmless(program string) container.Config {
	return container.Config{ID: "conformance", Root: container.Root{Path: "/"}, Process: container.Process{
		Args: []string{program}, Cwd: "/", Env: []string{"PATH=/usr/bin:/bin"},
		KeepGroups: true, // the child may be a plain user's
	}}
}

// lastRequest stands for the sequence number of the child's last REQUEST, which depends on NOTEs before it.
const lastRequest = 0xffff

func (s *script) hello(h syncproto.Hello, edits ...func(*frame)) {
	s.send(syncproto.KindHello, 0, encode(s.t, codec.JSON(), h), edits...)
}

func (s *script) call(k syncproto.Kind, re uint16, name string, edits ...func(*frame)) {
	s.send(k, re, encode(s.t, s.codec, syncproto.Call{Name: name}), edits...)
}

// greet is the opening of a parent up to the child's HELLO_ACK.
func (s *script) greet() {
	s.hello(greeting(s.v.Codec))
	s.expect("HELLO_ACK", "re=1")
}

// configure sends the configuration in pieces of size bytes, zero for one piece.
func (s *script) configure(program string, size int) {
	b := encode(s.t, s.codec, harmless(program))
	if size == 0 {
		size = len(b)
	}
	for len(b) > size {
		s.send(syncproto.KindConfig, 0, b[:size], setMore)
		b = b[size:]
	}
	s.send(syncproto.KindConfig, 0, b)
	s.expect("CONFIG_OK", "re="+strconv.Itoa(int(s.seq)))
}

// ready is the opening up to the child's "ready".
func (s *script) ready(program string) {
	s.greet()
	s.configure(program, 0)
	s.expect("REQUEST", "name=ready", "fds=0")
}

func setMore(f *frame) { f.h.Flags |= syncproto.FlagMore }

// slip is a mistake in a frame that no correct sender makes.
type slip struct {
	name, code, about, socket string
	edit                      func(*frame)
}

func slips() []slip {
	at := func(i int, to byte) func(*frame) {
		return func(f *frame) { f.spoil = func(b []byte) []byte { b[i] = to; return b } }
	}
	return []slip{
		{"magic", "foreign", "The magic is another program's.", "both", at(0, 'X')},
		{"version", "version", "The framing is of another version.", "both", at(2, 9)},
		{"kind-zero", "frame", "The kind is zero.", "both", at(3, 0)},
		{"kind-unknown", "frame", "The kind is unknown and may not be skipped.", "both", at(3, 99)},
		{"flags", "frame", "A flag stands for nothing.", "both", at(4, 0x40)},
		{"reserved", "frame", "The reserved bytes are not zero.", "both", at(11, 1)},
		{"seq-gap", "frame", "A sequence number is left out.", "both", func(f *frame) { f.h.Seq++ }},
		{"seq-again", "frame", "A sequence number comes twice, or is zero.", "both", func(f *frame) { f.h.Seq-- }},
		{"re", "frame", "Its `re` refers to a frame that it cannot refer to.", "both", func(f *frame) { f.h.Re = 77 }},
		{"over-limit", "limit", "Its length is over the limit.", "both", func(f *frame) { f.h.Length = 1 << 20 }},
		{"fds-missing", "descriptors", "It claims a descriptor, and none comes.", "both", func(f *frame) { f.h.NFDs = 1 }},
		{"fds-extra", "descriptors", "A descriptor comes that it does not claim.", "both", func(f *frame) { f.fds = 1 }},
		{"fds-many", "descriptors", "It claims more descriptors than any message may carry.", "both",
			func(f *frame) { f.h.NFDs = 255; f.fds = 1 }},
		{"packet-short", "frame", "The packet is shorter than its frame.", "seqpacket", func(f *frame) { f.h.Length++ }},
		{"packet-long", "frame", "The packet is longer than its frame.", "seqpacket",
			func(f *frame) { f.spoil = func(b []byte) []byte { return append(b, 0) } }},
	}
}
