//go:build !race

// The race detector allocates memory of its own.

package codec_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/codec/codectest"
)

// allocated returns how many bytes f allocates on the heap, including memory that is freed again.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// array is a MessagePack list that claims to have n elements.
func array(n int, elements string) string {
	return string(binary.BigEndian.AppendUint32([]byte{0xdd}, uint32(n))) + elements
}

// hostile are inputs of a peer that wants to exhaust memory: each is 4 MiB, the default limit of a configuration, and
// none comes from a correct sender.
func hostile() (cases []struct {
	name string
	c    codec.Codec
	in   string
}) {
	const size = 4 << 20
	fill := func(s string) string { return strings.Repeat(s, size/len(s)-4) }
	add := func(name string, c codec.Codec, in string) {
		cases = append(cases, struct {
			name string
			c    codec.Codec
			in   string
		}{name, c, in})
	}
	m, j := codec.MessagePack(), codec.JSON()
	add("nulls", m, array(size-16, fill("\xc0")))
	add("small integers", m, array(size-16, fill("\x01")))
	add("empty texts", m, array(size-16, fill("\xa0")))
	add("empty lists", m, array(size-16, fill("\x90")))
	add("empty maps", m, array(size-16, fill("\x80")))
	add("lists of one", m, array(size/2-8, fill("\x91\xc0")))
	add("maps of one", m, array(size/3-8, fill("\x81\xa0\xc0")))
	add("lists of fifteen", m, array(size/16-8, fill("\x9f"+strings.Repeat("\xc0", 15))))
	add("lists to the depth", m, array(size/31-8, fill(strings.Repeat("\x91", 30)+"\xc0")))
	add("short texts", m, array(size/2-8, fill("\xa1x")))
	add("short bytes", m, array(size/3-8, fill("\xc4\x01x")))
	add("numbers", j, "["+fill("0,")+"0]")
	add("empty texts", j, "["+fill(`"",`)+"0]")
	add("escaped texts", j, "["+fill(`"\n",`)+"0]")
	add("empty lists", j, "["+fill("[],")+"0]")
	add("lists of one", j, "["+fill("[0],")+"0]")
	add("lists to the depth", j, "["+fill(strings.Repeat("[", 30)+strings.Repeat("]", 30)+",")+"0]")
	add("empty maps", j, "["+fill("{},")+"0]")
	add("maps of one", j, "["+fill(`{"":0},`)+"0]")
	add("empty bytes", j, "["+fill(`{"$bytes":""},`)+"0]")
	add("open lists", j, "["+fill("[0,"))
	return cases
}

// A message with more values than allowed is refused, and costs no more memory than an allowed one.
func TestRefusesManyValuesWithinMemory(t *testing.T) {
	for _, h := range hostile() {
		var err error
		in := []byte(h.in)
		used := allocated(func() { _, err = h.c.Decode(in, syncproto.Limits{}) })
		if !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeLimit}) || used > codectest.MaxMemory {
			t.Errorf("%s of %s: %d bytes took %d, want a refusal for at most %d: %v", h.name, h.c.Name(), len(in), used,
				codectest.MaxMemory, err)
		}
		if h.c == codec.MessagePack() && used > 16<<10 {
			t.Errorf("%s of %s took %d bytes before it was refused, want none to speak of", h.name, h.c.Name(), used)
		}
	}
}

// The bound is exact at every depth, and bytes count as one value.
func TestCountsValues(t *testing.T) {
	const n = syncproto.MaxValues
	for _, test := range []struct {
		name     string
		c        codec.Codec
		in, over string
		at       string
	}{
		{"a list", codec.MessagePack(), array(n-1, strings.Repeat("\xc0", n-1)), array(n, strings.Repeat("\xc0", n)),
			"msgpack at byte 0"},
		{"two lists", codec.MessagePack(), "\x92" + array(n-4, strings.Repeat("\xc0", n-4)) + "\x91\xc0",
			"\x92" + array(n-4, strings.Repeat("\xc0", n-4)) + "\x92\xc0\xc0", "msgpack at byte 262146"},
		{"a list", codec.JSON(), "[" + strings.Repeat("0,", n-2) + "0]", "[" + strings.Repeat("0,", n-1) + "0]",
			"json at byte 524287"},
		{"maps", codec.JSON(), "[" + strings.Repeat(`{"a":0},`, n/2-1) + "0]",
			"[" + strings.Repeat(`{"a":0},`, n/2-1) + `{"a":0}]`, "json at byte 1048574"},
		{"bytes", codec.JSON(), "[" + strings.Repeat(`{"$bytes":""},`, n-2) + "0]",
			"[" + strings.Repeat(`{"$bytes":""},`, n-2) + `0,0]`, "json at byte 3669991"},
	} {
		if _, err := test.c.Decode([]byte(test.in), syncproto.Limits{}); err != nil {
			t.Errorf("%s of %d values: %v", test.name, n, err)
		}
		_, err := test.c.Decode([]byte(test.over), syncproto.Limits{})
		if want := "syncproto: " + test.at + ": more than 262144 values in one message"; err == nil || err.Error() != want {
			t.Errorf("%s of one more: %v, want %s", test.name, err, want)
		}
	}
}

// A decoder's memory grows in proportion to its input, so the bound for 4 MiB also tells about 64 MiB.
func TestMemoryIsInProportion(t *testing.T) {
	for _, c := range []codec.Codec{codec.JSON(), codec.MessagePack()} {
		for _, n := range []int{1 << 10, 1 << 14, 1 << 18, 1 << 22, 1 << 26} {
			b, err := c.Append(nil, syncproto.BytesValue(bytes.Repeat([]byte{'x'}, n/4*3)))
			if err != nil {
				t.Fatal(err)
			}
			if used, most := allocated(func() { _, err = c.Decode(b, syncproto.Limits{}) }), uint64(4*len(b)+4096); err != nil ||
				used > most {
				t.Errorf("%s: %d bytes took %d, want at most %d: %v", c.Name(), len(b), used, most, err)
			}
		}
		text := slices.Repeat([]syncproto.Value{syncproto.StringValue(strings.Repeat("x", 60))}, 1<<16)
		b, err := c.Append(nil, syncproto.ListValue(text...))
		if err != nil {
			t.Fatal(err)
		}
		if used, most := allocated(func() { _, err = c.Decode(b, syncproto.Limits{}) }), uint64(4*len(b)); err != nil ||
			used > most {
			t.Errorf("%s: %d bytes of text took %d, want at most %d: %v", c.Name(), len(b), used, most, err)
		}
	}
}
