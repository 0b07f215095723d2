package codectest

import (
	"math"
	"strconv"

	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
)

// Values generates values of every kind, nested up to four deep. Edge cases are more likely than by pure chance:
// lengths and integers around the points where encodings change their form.
func Values() *rapid.Generator[syncproto.Value] { return values(4) }

func values(depth int) *rapid.Generator[syncproto.Value] {
	kinds := []*rapid.Generator[syncproto.Value]{
		rapid.Just(syncproto.Value{}),
		rapid.Map(rapid.Bool(), syncproto.BoolValue),
		rapid.Map(rapid.Int64(), syncproto.IntValue),
		rapid.Map(rapid.Uint64(), syncproto.UintValue),
		rapid.Map(rapid.SampledFrom(edges()), func(n int64) syncproto.Value { return syncproto.IntValue(n) }),
		rapid.Map(texts(), syncproto.StringValue),
		rapid.Map(rapid.SliceOf(rapid.Byte()), syncproto.BytesValue),
	}
	if depth > 0 {
		// A third of the draws nest, so that most values are more than a leaf.
		kinds = append(kinds, lists(depth), lists(depth), maps(depth), maps(depth))
	}
	return rapid.OneOf(kinds...)
}

func lists(depth int) *rapid.Generator[syncproto.Value] {
	return rapid.Custom(func(t *rapid.T) syncproto.Value {
		return syncproto.ListValue(rapid.SliceOfN(values(depth-1), 0, 8).Draw(t, "list")...)
	})
}

func maps(depth int) *rapid.Generator[syncproto.Value] {
	return rapid.Custom(func(t *rapid.T) syncproto.Value {
		names := rapid.SliceOfNDistinct(texts().Filter(isName), 0, 8, rapid.ID[string]).Draw(t, "names")
		fields := make([]syncproto.Field, len(names))
		for i, name := range names {
			fields[i] = syncproto.Field{Name: name, Value: values(depth-1).Draw(t, name)}
		}
		return syncproto.MapValue(fields...)
	})
}

func isName(s string) bool { return s == "" || s[0] != '$' }

// texts generates valid UTF-8: any runes, and those that encodings have to escape.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{"", "\x00", "\"\\/", "\b\f\n\r\t\x1b\x7f", "\u2028\u2029", "\ufffd", "\U0001f91d",
			"\U0010ffff", "null", "$bytes", "a:b,c"}),
	)
}

// edges are the integers where an encoding's form changes, and their neighbours.
func edges() []int64 {
	var list []int64
	for _, n := range []int64{0, -32, 31, 127, -128, 255, math.MaxInt16, math.MinInt16, math.MaxUint16, math.MaxInt32,
		math.MinInt32, math.MaxUint32} {
		list = append(list, n-1, n, n+1)
	}
	return append(list, math.MaxInt64, math.MinInt64)
}

// lengths are the lengths where an encoding's form changes, and their neighbours.
func lengths() []int {
	return []int{0, 1, 15, 16, 17, 31, 32, 33, 255, 256, 257, math.MaxUint16, math.MaxUint16 + 1}
}

// nest is v inside n lists.
func nest(v syncproto.Value, n int) syncproto.Value {
	for range n {
		v = syncproto.ListValue(v)
	}
	return v
}

// nestMap is v inside n maps.
func nestMap(v syncproto.Value, n int) syncproto.Value {
	for range n {
		v = syncproto.MapValue(syncproto.Field{Name: "m", Value: v})
	}
	return v
}

// wide is a map of n fields.
func wide(n int) syncproto.Value {
	fields := make([]syncproto.Field, n)
	for i := range fields {
		fields[i] = syncproto.Field{Name: "f" + strconv.Itoa(i), Value: syncproto.IntValue(int64(i % 3))}
	}
	return syncproto.MapValue(fields...)
}
