//go:build !race

// The race detector allocates by itself.

package codec_test

import (
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// know holds the strings that a side of a conversation knows its peer may send.
type know struct{}

func (know) Known(text []byte) string {
	for _, s := range [...]string{"ready", "run", "info", "msgpack", "json", "0123456789abcdef", "init", "a line",
		"enough"} {
		if s == string(text) {
			return s
		}
	}
	return ""
}

// free checks that a message can be encoded and decoded without allocating anything but the buffer.
func free[T any](t *testing.T, c codec.Codec, want *T, most float64) {
	t.Helper()
	buf := make([]byte, 0, 1024)
	var b []byte
	var err error
	got := new(T) // what is bound lies on the heap
	if n := testing.AllocsPerRun(100, func() { b, err = codec.Encode(c, buf, want, syncproto.Limits{}) }); err != nil ||
		n > 0 {
		t.Errorf("%s: encoding a %T takes %v allocations: %v", c.Name(), *want, n, err)
	}
	if n := testing.AllocsPerRun(100, func() {
		*got = *new(T)
		err = codec.DecodeKnown(c, b, got, syncproto.Limits{}, false, know{})
	}); err != nil || n > most {
		t.Errorf("%s: decoding a %T takes %v allocations, want %v: %v", c.Name(), *want, n, most, err)
	}
}

func TestControlMessagesTakeNoMemory(t *testing.T) {
	for _, c := range codec.BuiltIn() {
		free(t, c, &syncproto.Call{Name: "ready"}, 0)
		free(t, c, &syncproto.Note{Level: "info", Text: "a line"}, 0)
		free(t, c, &syncproto.Note{Level: "info", Text: "another line"}, 1) // the text
		free(t, c, &syncproto.ConfigOK{Size: 10240, Digest: "0123456789abcdef"}, 0)
		free(t, c, &syncproto.HelloAck{Version: 1, Codec: "msgpack", Limits: syncproto.DefaultLimits(), PID: 4711}, 0)
		free(t, c, &syncproto.Cancel{Reason: "enough"}, 0)
		free(t, c, &syncproto.Hello{MinVersion: 1, MaxVersion: 1, Codecs: []string{"json"}, Profile: "init",
			Hash:   "0123456789abcdef",
			Limits: syncproto.DefaultLimits()}, 2) // the list, and in JSON what it is gathered in
	}
}
