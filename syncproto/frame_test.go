package syncproto_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/vectors"
)

func validHeader(t *rapid.T) syncproto.Header {
	h := syncproto.Header{
		Kind: syncproto.Kind(rapid.IntRange(1, 10).Draw(t, "kind")), NFDs: rapid.Uint8().Draw(t, "nfds"),
		Seq: rapid.Uint16Min(1).Draw(t, "seq"), Re: rapid.Uint16().Draw(t, "re"), Length: rapid.Uint32().Draw(t, "length"),
	}
	if h.Kind == syncproto.KindConfig && rapid.Bool().Draw(t, "more") {
		h.Flags |= syncproto.FlagMore
	}
	if rapid.Bool().Draw(t, "skippable") {
		h.Flags |= syncproto.FlagSkippable
	}
	return h
}

func TestHeaderSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := validHeader(t)
		b := h.Append([]byte("before"))
		got, err := syncproto.ParseHeader(append(b[len("before"):], "payload"...))
		if err != nil || got != h {
			t.Fatalf("got %+v, %v, want %+v", got, err, h)
		}
		if len(b) != len("before")+syncproto.HeaderSize {
			t.Fatalf("%d bytes", len(b))
		}
	})
}

func TestHeaderBytesAreTheDocumentedOnes(t *testing.T) {
	h := syncproto.Header{Kind: syncproto.KindConfig, Flags: syncproto.FlagMore, NFDs: 3, Seq: 0x0102, Re: 0x0304,
		Length: 0x05060708}
	want := []byte{'S', 'Y', 1, 3, 1, 3, 1, 2, 3, 4, 0, 0, 5, 6, 7, 8}
	if got := h.Append(nil); !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
}

func TestParseHeaderRefuses(t *testing.T) {
	good := syncproto.Header{Kind: syncproto.KindHello, Seq: 1}.Append(nil)
	with := func(at int, b byte) []byte {
		c := bytes.Clone(good)
		c[at] = b
		return c
	}
	for _, tt := range []struct {
		name string
		in   []byte
		code syncproto.Code
		text string
	}{
		{"nothing", nil, syncproto.CodeFrame, "frame of 0 bytes"},
		{"half a header", good[:15], syncproto.CodeFrame, "frame of 15 bytes"},
		{"half a magic", []byte("S"), syncproto.CodeFrame, "frame of 1 bytes"},
		{"another program", []byte("{\"type\":\"procReady\"}\x00"), syncproto.CodeForeign,
			`it sent "{\"type\":\"procReady\"}\x00"`},
		{"one foreign byte", []byte("x"), syncproto.CodeForeign, `it sent "x"`},
		{"version", with(2, 2), syncproto.CodeVersion, "framing version 2 is not 1"},
		{"kind zero", with(3, 0), syncproto.CodeFrame, "unknown kind 0"},
		{"kind eleven", with(3, 11), syncproto.CodeFrame, "unknown kind 11"},
		{"unknown flag", with(4, 4), syncproto.CodeFrame, "unknown flags 0x4"},
		{"a cut HELLO", with(4, 1), syncproto.CodeFrame, "HELLO may not be cut"},
		{"reserved", with(10, 1), syncproto.CodeFrame, "reserved"},
		{"reserved low", with(11, 1), syncproto.CodeFrame, "reserved"},
		{"sequence zero", with(7, 0), syncproto.CodeFrame, "sequence number is zero"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := syncproto.ParseHeader(tt.in)
			if !errors.Is(err, &syncproto.ProtocolError{Code: tt.code}) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want code %s and %q", err, tt.code, tt.text)
			}
		})
	}
}

func TestForeignBytesAreQuotedUpTo64(t *testing.T) {
	_, err := syncproto.ParseHeader(bytes.Repeat([]byte("z"), 1000))
	if got := strings.Count(err.Error(), "z"); got != 64 {
		t.Errorf("%d bytes are quoted, want 64", got)
	}
}

func TestSkippableUnknownKindPasses(t *testing.T) {
	h := syncproto.Header{Kind: 200, Flags: syncproto.FlagSkippable, Seq: 1}
	if got, err := syncproto.ParseHeader(h.Append(nil)); err != nil || got != h {
		t.Errorf("got %+v, %v", got, err)
	}
	if got := h.Kind.String(); got != "kind 200" {
		t.Errorf("its name is %q", got)
	}
}

func FuzzParseHeader(f *testing.F) {
	all, err := vectors.Of(vectors.KindFrame)
	if err != nil || len(all) < 50 {
		f.Fatalf("%d vectors of frames, %v", len(all), err)
	}
	for _, v := range all {
		f.Add(v.Data)
	}
	f.Add([]byte(nil))
	f.Add(syncproto.Header{Kind: syncproto.KindHello, Seq: 1}.Append(nil))
	f.Add(syncproto.Header{Kind: syncproto.KindConfig, Flags: syncproto.FlagMore, NFDs: 253, Seq: 65535, Re: 1,
		Length: 1 << 31}.Append(nil))
	f.Add([]byte("{\"type\":0}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := syncproto.ParseHeader(b)
		if err != nil {
			var p *syncproto.ProtocolError
			if !errors.As(err, &p) || len(err.Error()) > 512 || strings.ContainsAny(err.Error(), "\n\x00") {
				t.Fatalf("error %q", err)
			}
			return
		}
		if got := h.Append(nil); !bytes.Equal(got, b[:syncproto.HeaderSize]) {
			t.Fatalf("accepted % x, which is written % x", b[:syncproto.HeaderSize], got)
		}
	})
}
