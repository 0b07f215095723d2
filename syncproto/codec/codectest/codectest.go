// Package codectest holds the tests that every codec of the protocol must pass:
//
//	func TestConformance(t *testing.T) { codectest.Run(t, mycodec.Codec{}) }
//
// Only tests import it.
package codectest

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// Run runs the whole suite on c. A codec that passes encodes the same values as the built-in codecs and refuses what
// they refuse.
func Run(t *testing.T, c codec.Codec) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, codec.Codec)
	}{
		{"Name", testName},
		{"RoundTrip", testRoundTrip},
		{"Lengths", testLengths},
		{"Integers", testIntegers},
		{"Depth", testDepth},
		{"RefusesToEncode", testRefusesToEncode},
		{"Truncated", testTruncated},
		{"Trailing", testTrailing},
		{"Corrupted", testCorrupted},
		{"Owned", testOwned},
		{"Values", testValues},
		{"Memory", testMemory},
		{"Concurrent", testConcurrent},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, c) })
	}
}

func testName(t *testing.T, c codec.Codec) {
	if n := c.Name(); n == "" || len(n) > codec.MaxName || n != c.Name() {
		t.Errorf("Name() = %q, want 1 to %d bytes, always the same", n, codec.MaxName)
	}
}

// encode fails the test where v cannot be encoded.
func encode(t rapid.TB, c codec.Codec, v syncproto.Value) []byte {
	t.Helper()
	b, err := c.Append(nil, v)
	if err != nil {
		t.Fatalf("Append of %.200v: %v", v, err)
	}
	return b
}

// roundTrip checks that v survives, and that its encoding is the same when made again.
func roundTrip(t rapid.TB, c codec.Codec, v syncproto.Value, l syncproto.Limits) {
	t.Helper()
	b := encode(t, c, v)
	got, err := c.Decode(b, l)
	if err != nil {
		t.Fatalf("Decode of what Append made of %.200v: %v", v, err)
	}
	if !got.Equal(v) {
		t.Fatalf("decoded %.200v, want %.200v", got, v)
	}
	if again := encode(t, c, got); !bytes.Equal(again, b) {
		t.Fatalf("encoded again %.200q, want %.200q", again, b)
	}
}

func testRoundTrip(t *testing.T, c codec.Codec) {
	rapid.Check(t, func(t *rapid.T) {
		v := Values().Draw(t, "value")
		roundTrip(t, c, v, syncproto.Limits{})
		b, err := c.Append([]byte("before"), v)
		if err != nil || string(b) != "before"+string(encode(t, c, v)) {
			t.Fatalf("Append changed what stood before: %.200q, %v", b, err)
		}
	})
}

func testLengths(t *testing.T, c codec.Codec) {
	for _, n := range lengths() {
		s := strings.Repeat("x", n)
		roundTrip(t, c, syncproto.StringValue(s), syncproto.Limits{})
		roundTrip(t, c, syncproto.BytesValue([]byte(s)), syncproto.Limits{})
		roundTrip(t, c, syncproto.ListValue(make([]syncproto.Value, n)...), syncproto.Limits{})
		roundTrip(t, c, wide(n), syncproto.Limits{})
		roundTrip(t, c, syncproto.MapValue(syncproto.Field{Name: s}), syncproto.Limits{})
	}
}

func testIntegers(t *testing.T, c codec.Codec) {
	for _, n := range edges() {
		roundTrip(t, c, syncproto.IntValue(n), syncproto.Limits{})
	}
	for _, n := range []uint64{math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64 - 1, math.MaxUint64} {
		roundTrip(t, c, syncproto.UintValue(n), syncproto.Limits{})
	}
}

// testDepth checks both sides of the limit: the exact depth, and one deeper. Bytes do not count as nesting, whatever
// their encoding.
func testDepth(t *testing.T, c codec.Codec) {
	const depth = 7
	l := syncproto.Limits{Depth: depth}
	leaf := syncproto.BytesValue([]byte("leaf"))
	for _, nested := range []func(syncproto.Value, int) syncproto.Value{nest, nestMap} {
		roundTrip(t, c, nested(leaf, depth), l)
		_, err := c.Decode(encode(t, c, nested(leaf, depth+1)), l)
		wantCode(t, err, syncproto.CodeLimit)
		roundTrip(t, c, nested(leaf, codec.MaxDepth), syncproto.Limits{Depth: codec.MaxDepth})
	}
	// Zero is the default limit, neither zero levels nor unlimited.
	roundTrip(t, c, nest(leaf, int(syncproto.DefaultLimits().Depth)), syncproto.Limits{})
	_, err := c.Decode(encode(t, c, nest(leaf, int(syncproto.DefaultLimits().Depth)+1)), syncproto.Limits{})
	wantCode(t, err, syncproto.CodeLimit)
}

func testRefusesToEncode(t *testing.T, c codec.Codec) {
	field := func(name string) syncproto.Field { return syncproto.Field{Name: name, Value: syncproto.IntValue(1)} }
	last := wide(100).Fields()
	for _, test := range []struct {
		name string
		v    syncproto.Value
		code syncproto.Code
	}{
		{"equal names", syncproto.MapValue(field("a"), field("b"), field("a")), syncproto.CodeDecode},
		{"equal names among many", syncproto.MapValue(append(last[:100:100], last[0])...), syncproto.CodeDecode},
		{"equal names inside", nest(syncproto.MapValue(field("a"), field("a")), 3), syncproto.CodeDecode},
		{"a reserved name", syncproto.MapValue(field("$bytes")), syncproto.CodeDecode},
		{"another reserved name", syncproto.MapValue(field("a"), field("$")), syncproto.CodeDecode},
		{"a name that is not UTF-8", syncproto.MapValue(field("a\xff")), syncproto.CodeDecode},
		{"a list too deep", nest(syncproto.Value{}, codec.MaxDepth+1), syncproto.CodeLimit},
		{"a map too deep", nestMap(syncproto.Value{}, codec.MaxDepth+1), syncproto.CodeLimit},
	} {
		dst, err := c.Append([]byte("before"), test.v)
		if string(dst) != "before" {
			t.Errorf("%s: Append returned %.100q with its error, want what it was given", test.name, dst)
		}
		if !errors.Is(err, &syncproto.ProtocolError{Code: test.code}) {
			t.Errorf("%s: Append error %v, want one of code %s", test.name, err, test.code)
		}
	}
}

// sample has every kind in it, nested, and encodes to a few hundred bytes.
func sample() syncproto.Value {
	return syncproto.MapValue(
		syncproto.Field{Name: "null"},
		syncproto.Field{Name: "bools", Value: syncproto.ListValue(syncproto.BoolValue(true), syncproto.BoolValue(false))},
		syncproto.Field{Name: "ints", Value: syncproto.ListValue(syncproto.IntValue(-1), syncproto.IntValue(math.MinInt64),
			syncproto.UintValue(math.MaxUint64), syncproto.IntValue(70000))},
		syncproto.Field{Name: "text \u00e9\n", Value: syncproto.StringValue("\U0001f91d \"quoted\" " +
			strings.Repeat("long", 10))},
		syncproto.Field{Name: "bytes", Value: syncproto.BytesValue([]byte{0, 1, 2, 0xff})},
		syncproto.Field{Name: "", Value: syncproto.MapValue(syncproto.Field{Name: "inner", Value: syncproto.ListValue()})},
	)
}

// testTruncated cuts an encoding at every byte. A list at the top leaves no prefix that is a value by itself.
func testTruncated(t *testing.T, c codec.Codec) {
	b := encode(t, c, syncproto.ListValue(sample()))
	for n := range b {
		if v, err := c.Decode(b[:n], syncproto.Limits{}); err == nil {
			t.Errorf("the first %d of %d bytes decoded to %v", n, len(b), v)
		} else {
			wantCode(t, err, syncproto.CodeDecode)
		}
	}
}

func testTrailing(t *testing.T, c codec.Codec) {
	for _, v := range []syncproto.Value{sample(), syncproto.ListValue(), syncproto.StringValue("x")} {
		b := encode(t, c, v)
		_, err := c.Decode(append(b[:len(b):len(b)], b...), syncproto.Limits{})
		wantCode(t, err, syncproto.CodeDecode)
	}
}

// testCorrupted sets every byte of an encoding to every value. Whatever the codec accepts must be a value of the model
// that all codecs can encode.
func testCorrupted(t *testing.T, c codec.Codec) {
	whole := encode(t, c, sample())
	b := make([]byte, len(whole))
	for i := range whole {
		for x := range 256 {
			copy(b, whole)
			b[i] = byte(x)
			CheckDecoded(t, c, b)
		}
	}
}

// CheckDecoded decodes any bytes and checks the result: an error must have one of two codes; a value must survive
// encoding and decoding by this codec and by the built-in ones. Use it as the body of a codec's fuzz test. It reports
// whether b was accepted.
func CheckDecoded(t testing.TB, c codec.Codec, b []byte) (v syncproto.Value, accepted bool) {
	t.Helper()
	v, err := c.Decode(b, syncproto.Limits{})
	if err != nil {
		if !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeDecode}) &&
			!errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeLimit}) {
			t.Fatalf("Decode of %.200q: error %v has neither code decode nor limit", b, err)
		}
		return v, false
	}
	for _, d := range []codec.Codec{c, codec.JSON(), codec.MessagePack()} {
		e, err := d.Append(nil, v)
		if err != nil {
			t.Fatalf("%s decoded %.200q to what %s cannot encode: %v", c.Name(), b, d.Name(), err)
		}
		w, err := d.Decode(e, syncproto.Limits{})
		if err != nil || !w.Equal(v) {
			t.Fatalf("%s decoded %.200q to %.200v, of which %s made %.200v, %v", c.Name(), b, v, d.Name(), w, err)
		}
	}
	return v, true
}

// testOwned overwrites the bytes after decoding, because the buffers of frames are reused.
func testOwned(t *testing.T, c codec.Codec) {
	b := encode(t, c, sample())
	v, err := c.Decode(b, syncproto.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = 'x'
	}
	if !v.Equal(sample()) {
		t.Errorf("the value changed with the bytes it was decoded from: %v", v)
	}
}

// MaxMemory is how much decoding any configuration of the default limit, 4 MiB, may allocate in total, in bytes,
// including memory that is freed again during decoding.
const MaxMemory = 64 << 20

// testMemory decodes the input that costs the most for its size: as many values as allowed, in every shape, and as much
// text and bytes.
func testMemory(t *testing.T, c codec.Codec) {
	const n, most = syncproto.MaxValues - 1, 4 << 20
	fill := func(n int, v syncproto.Value) []syncproto.Value {
		list := make([]syncproto.Value, n)
		for i := range list {
			list[i] = v
		}
		return list
	}
	one := syncproto.ListValue(syncproto.Value{})
	for name, v := range map[string]syncproto.Value{
		"nulls":            syncproto.ListValue(make([]syncproto.Value, n)...),
		"nulls far below":  nest(syncproto.ListValue(make([]syncproto.Value, n-20)...), 20),
		"empty lists":      syncproto.ListValue(fill(n, syncproto.ListValue())...),
		"lists of one":     syncproto.ListValue(fill(n/2, one)...),
		"lists of two":     syncproto.ListValue(fill(n/4, syncproto.ListValue(syncproto.ListValue(), one))...),
		"maps of one":      syncproto.ListValue(fill(n/2, nestMap(syncproto.Value{}, 1))...),
		"nested maps":      syncproto.ListValue(fill(n/8, nestMap(syncproto.Value{}, 7))...),
		"fields":           wide(n),
		"short text":       syncproto.ListValue(fill(n, syncproto.StringValue("\n"))...),
		"short bytes":      syncproto.ListValue(fill(n/2, syncproto.BytesValue([]byte("x")))...),
		"text":             syncproto.StringValue(strings.Repeat("x", most-8)),
		"text of escapes":  syncproto.StringValue(strings.Repeat("\n", most/2-8)),
		"text all escapes": syncproto.StringValue(strings.Repeat("\x01", most/6-8)),
		"bytes":            syncproto.BytesValue(make([]byte, most/4*3-16)),
	} {
		b := encode(t, c, v)
		if len(b) > most {
			t.Errorf("%s: %d bytes, over the %d of a configuration: shorten the case", name, len(b), most)
		}
		var err error
		if used := allocated(func() { _, err = c.Decode(b, syncproto.Limits{}) }); err != nil || used > MaxMemory {
			t.Errorf("%s: decoding %d bytes allocated %d, want at most %d; %v", name, len(b), used, MaxMemory, err)
		}
	}
}

// testValues checks the bound on the number of values when encoding. For decoding, only the codec's own tests can
// produce the bytes.
func testValues(t *testing.T, c codec.Codec) {
	const n = syncproto.MaxValues
	half := syncproto.ListValue(make([]syncproto.Value, n/2-1)...)
	roundTrip(t, c, syncproto.ListValue(make([]syncproto.Value, n-1)...), syncproto.Limits{})
	roundTrip(t, c, wide(n-1), syncproto.Limits{})
	for _, v := range []syncproto.Value{syncproto.ListValue(make([]syncproto.Value, n)...), wide(n),
		syncproto.ListValue(half, half), nestMap(syncproto.ListValue(half, half), 3)} {
		_, err := c.Append(nil, v)
		wantCode(t, err, syncproto.CodeLimit)
	}
}

// allocated is how many bytes f takes from the heap.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func testConcurrent(t *testing.T, c codec.Codec) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				b, err := c.Append(nil, sample())
				if err != nil {
					t.Error(err)
					return
				}
				if v, err := c.Decode(b, syncproto.Limits{}); err != nil || !v.Equal(sample()) {
					t.Errorf("decoded %v, %v", v, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func wantCode(t testing.TB, err error, code syncproto.Code) {
	t.Helper()
	if !errors.Is(err, &syncproto.ProtocolError{Code: code}) {
		t.Errorf("error %v, want one of code %s", err, code)
	}
}
