package codec

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

// Conversion by way of a Value is the oracle for plans: it is implemented independently, with package reflect.

func encodeByValue[T any](c Codec, t *T, l syncproto.Limits) ([]byte, error) {
	v, err := syncproto.ToValue(*t)
	if err == nil {
		err = Check(v, depthOf(l))
	}
	if err != nil {
		return nil, err
	}
	return c.Append(nil, v)
}

func decodeByValue[T any](c Codec, b []byte, l syncproto.Limits, lenient bool) (t T, err error) {
	v, err := c.Decode(b, l)
	if err != nil {
		return t, err
	}
	return t, syncproto.FromValue(v, &t, lenient)
}

func words(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// sameEncoding compares both ways to encode v, and returns the bytes.
func sameEncoding[T any](t rapid.TB, c Codec, v *T, l syncproto.Limits) []byte {
	t.Helper()
	want, wantErr := encodeByValue(c, v, l)
	got, gotErr := Encode(c, []byte("before"), v, l)
	if words(gotErr) != words(wantErr) || string(got) != "before"+string(want) {
		t.Fatalf("%s of %+v:\n got %q, %v\nwant %q, %v", c.Name(), *v, got, gotErr, want, wantErr)
	}
	if _, ok := encodePlanned(c, nil, reflect.TypeFor[T](), ptr(v), l); ok != (wantErr == nil) {
		t.Fatalf("%s of %+v: by the plan %v, and %v by the Value", c.Name(), *v, ok, wantErr)
	}
	return want
}

// sameDecoding compares both ways from bytes to a T.
func sameDecoding[T any](t rapid.TB, c Codec, b []byte, l syncproto.Limits) {
	t.Helper()
	for _, lenient := range []bool{false, true} {
		want, wantErr := decodeByValue[T](c, b, l, lenient)
		var got T
		gotErr := Decode(c, b, &got, l, lenient)
		if words(gotErr) != words(wantErr) || gotErr == nil && !cmp.Equal(got, want) {
			t.Fatalf("%s %q (lenient %v):\n%s\n%v, want %v", c.Name(), b, lenient, cmp.Diff(want, got), gotErr, wantErr)
		}
		var planned T
		ok := decodePlanned(c, b, reflect.TypeFor[T](), ptr(&planned), l, nil)
		if ok && (wantErr != nil || !cmp.Equal(planned, want)) {
			t.Fatalf("%s %q (lenient %v): the plan took it: %+v, want %+v, %v",
				c.Name(), b, lenient, planned, want, wantErr)
		}
		escaped := c == JSON() && bytes.Contains(b, []byte(`\`)) // names with escapes are read by the Value alone
		if !ok && wantErr == nil && !lenient && !escaped {
			t.Fatalf("%s %q: no plan took it", c.Name(), b)
		}
	}
}

type kind string

type smallStruct struct {
	N  int8         `sync:"n"`
	Up *smallStruct `sync:"up,omitempty"`
	U  []uint16     `sync:"u,omitempty"`
}

// zoo has a field of everything that can be bound.
type zoo struct {
	B     bool                   `sync:"b"`
	I     int                    `sync:"i,omitempty"`
	I16   int16                  `sync:"i16,omitempty"`
	I32   int32                  `sync:"i32"`
	I64   int64                  `sync:"i64,omitempty"`
	U     uint                   `sync:"u"`
	U8    uint8                  `sync:"u8,omitempty"`
	U32   uint32                 `sync:"u32,omitempty"`
	U64   uint64                 `sync:"u64"`
	S     kind                   `sync:"s,omitempty"`
	Raw   []byte                 `sync:"raw,omitempty"`
	Four  [4]byte                `sync:"four,omitempty"`
	L     []string               `sync:"l,omitempty"`
	LL    [][]string             `sync:"ll,omitempty"`
	Bools []bool                 `sync:"bools,omitempty"`
	Ints  []int32                `sync:"ints,omitempty"`
	In    smallStruct            `sync:"in"`
	Opt   smallStruct            `sync:"opt,omitempty"`
	Ptr   *smallStruct           `sync:"ptr"`
	Ptrs  []*smallStruct         `sync:"ptrs,omitempty"`
	List  []smallStruct          `sync:"list,omitempty"`
	Pair  [2]smallStruct         `sync:"pair,omitempty"`
	M     map[string]smallStruct `sync:"m,omitempty"`
	By    map[kind][]byte        `sync:"by"`
	Unit  struct{}               `sync:"unit"`
	Units []struct{}             `sync:"units,omitempty"`
	Any   syncproto.Value        `sync:"any,omitempty"`
	Anys  []syncproto.Value      `sync:"anys,omitempty"`
	Skip  chan int               `sync:"-"`
	Local string
}

func smallStructs(depth int) *rapid.Generator[smallStruct] {
	return rapid.Custom(func(t *rapid.T) smallStruct {
		s := smallStruct{N: rapid.Int8().Draw(t, "n"), U: rapid.SliceOfN(rapid.Uint16(), 0, 3).Draw(t, "u")}
		if depth > 0 && rapid.Bool().Draw(t, "deeper") {
			up := smallStructs(depth-1).Draw(t, "up")
			s.Up = &up
		}
		return s
	})
}

func values(depth int) *rapid.Generator[syncproto.Value] {
	return rapid.Custom(func(t *rapid.T) syncproto.Value {
		switch rapid.IntRange(0, 6+2*min(depth, 1)).Draw(t, "kind") {
		case 0:
			return syncproto.Value{}
		case 1:
			return syncproto.BoolValue(rapid.Bool().Draw(t, "b"))
		case 2:
			return syncproto.IntValue(rapid.Int64().Draw(t, "i"))
		case 3:
			return syncproto.UintValue(rapid.Uint64().Draw(t, "u"))
		case 4, 5:
			return syncproto.StringValue(rapid.StringN(0, 40, 60).Draw(t, "s"))
		case 6:
			return syncproto.BytesValue(rapid.SliceOfN(rapid.Byte(), 0, 6).Draw(t, "raw"))
		case 7:
			return syncproto.ListValue(rapid.SliceOfN(values(depth-1), 0, 3).Draw(t, "list")...)
		}
		// Now and then a name twice, one that is reserved, or one that is no text.
		name := rapid.SampledFrom([]string{"a", "b", "n", "up", "u", "", "$x", "\xff", "a\"b"})
		names := rapid.SliceOfN(name, 0, 3).Draw(t, "names")
		fields := make([]syncproto.Field, len(names))
		for i := range names {
			fields[i] = syncproto.Field{Name: names[i], Value: values(depth-1).Draw(t, "value")}
		}
		return syncproto.MapValue(fields...)
	})
}

// badText is a text that is now and then not UTF-8.
func badText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 60).Draw(t, "bad") == 0 {
			return "bad\xff"
		}
		return rapid.StringN(0, 40, 60).Draw(t, "text")
	})
}

func zoos() *rapid.Generator[zoo] {
	return rapid.Custom(func(t *rapid.T) zoo {
		few := func(n int) int { return rapid.IntRange(0, n).Draw(t, "count") }
		z := zoo{
			B: rapid.Bool().Draw(t, "b"), I: rapid.Int().Draw(t, "i"), I16: rapid.Int16().Draw(t, "i16"),
			I32: rapid.Int32().Draw(t, "i32"), I64: rapid.Int64().Draw(t, "i64"), U: rapid.Uint().Draw(t, "u"),
			U8: rapid.Uint8().Draw(t, "u8"), U32: rapid.Uint32().Draw(t, "u32"), U64: rapid.Uint64().Draw(t, "u64"),
			S: kind(badText().Draw(t, "s")), Raw: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "raw"),
			Four: [4]byte{rapid.Byte().Draw(t, "four")}, L: rapid.SliceOfN(badText(), 0, 40).Draw(t, "l"),
			LL:    rapid.SliceOfN(rapid.SliceOfN(badText(), 0, 20), 0, 3).Draw(t, "ll"),
			Bools: rapid.SliceOfN(rapid.Bool(), 0, 20).Draw(t, "bools"),
			Ints:  rapid.SliceOfN(rapid.Int32(), 0, 20).Draw(t, "ints"),
			In:    smallStructs(2).Draw(t, "in"), Opt: smallStructs(0).Draw(t, "opt"),
			List:  rapid.SliceOfN(smallStructs(1), 0, 20).Draw(t, "list"),
			Units: make([]struct{}, few(3)), Any: values(2).Draw(t, "any"),
			Anys: rapid.SliceOfN(values(1), 0, 3).Draw(t, "anys"), Local: "local",
		}
		if rapid.Bool().Draw(t, "pointer") {
			z.Ptr = &z.In
			z.Ptrs = []*smallStruct{nil, &z.Opt}
			z.Pair[1] = z.In
		}
		z.M, z.By = map[string]smallStruct{}, map[kind][]byte{}
		for range few(20) {
			keys := rapid.SampledFrom([]string{"", "a", "b", "n", "key", "\u00e9", "a\"b", "longer than most"})
			z.M[keys.Draw(t, "key")] = smallStructs(1).Draw(t, "entry")
			z.By[kind(badText().Draw(t, "key"))] = z.Raw
		}
		return z
	})
}

func TestPlansEncodeAsTheModelDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z, l := zoos().Draw(t, "zoo"), syncproto.Limits{Depth: rapid.Uint8Range(2, 12).Draw(t, "depth")}
		for _, c := range BuiltIn() {
			if b := sameEncoding(t, c, &z, l); b != nil {
				sameDecoding[zoo](t, c, b, l)
			}
			sameEncoding(t, c, &z.Any, l)
			sameEncoding(t, c, &z.L, l)
			sameEncoding(t, c, &z.M, l)
		}
	})
}

func TestPlansBindConfigurations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := rapid.Make[container.Config]().Draw(t, "config")
		for _, c := range BuiltIn() {
			b := sameEncoding(t, c, &config, syncproto.Limits{})
			sameDecoding[container.Config](t, c, b, syncproto.Limits{})
		}
	})
}

// distort changes v: it removes, adds or moves a field, or changes its kind.
func distort(t *rapid.T, v syncproto.Value, depth int) syncproto.Value {
	fields, list := v.Fields(), v.List()
	switch {
	case len(fields) > 0 && depth > 0:
		out := append([]syncproto.Field(nil), fields...)
		i, j := rapid.IntRange(0, len(out)-1).Draw(t, "i"), rapid.IntRange(0, len(out)-1).Draw(t, "j")
		switch rapid.IntRange(0, 5).Draw(t, "what") {
		case 0:
			out = append(out[:i], out[i+1:]...)
		case 1:
			name := rapid.SampledFrom([]string{"unknown", "", "n\u00e9"}).Draw(t, "name")
			out = append(out, syncproto.Field{Name: name, Value: values(1).Draw(t, "new")})
		case 2:
			out[i], out[j] = out[j], out[i]
		case 3:
			out[i].Value = out[j].Value
		default:
			out[i].Value = distort(t, out[i].Value, depth-1)
		}
		return syncproto.MapValue(out...)
	case len(list) > 0 && depth > 0:
		out := append([]syncproto.Value(nil), list...)
		i := rapid.IntRange(0, len(out)-1).Draw(t, "i")
		if rapid.Bool().Draw(t, "shorter") {
			return syncproto.ListValue(out[i:]...)
		}
		out[i] = distort(t, out[i], depth-1)
		return syncproto.ListValue(out...)
	}
	return values(1).Draw(t, "other")
}

func TestPlansDecodeAsTheModelDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z, l := zoos().Draw(t, "zoo"), syncproto.Limits{Depth: rapid.Uint8Range(2, 12).Draw(t, "depth")}
		v, err := syncproto.ToValue(z)
		if err != nil {
			return
		}
		for range rapid.IntRange(0, 3).Draw(t, "distortions") {
			v = distort(t, v, 6)
		}
		for _, c := range BuiltIn() {
			b, err := c.Append(nil, v)
			if err != nil {
				continue
			}
			sameDecoding[zoo](t, c, b, l)
			if n := len(b); n > 0 && rapid.Bool().Draw(t, "spoil") {
				b[rapid.IntRange(0, n-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
				sameDecoding[zoo](t, c, b, l)
				sameDecoding[zoo](t, c, b[:rapid.IntRange(0, n-1).Draw(t, "cut")], l)
			}
		}
	})
}

// What only the conversion by way of a Value supports works through Encode and Decode too.
func TestWhatPlansCannotDo(t *testing.T) {
	type wide struct { // more fields than a plan has bits
		A00, A01, A02, A03, A04, A05, A06, A07, A08, A09 struct{}
		F                                                float64 `sync:"f,omitempty"`
		N                                                int     `sync:"n"`
	}
	for _, c := range BuiltIn() {
		w := wide{N: 4}
		b, err := Encode(c, nil, &w, syncproto.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var back wide
		if err := Decode(c, b, &back, syncproto.Limits{}, false); err != nil || back != w {
			t.Errorf("%+v, %v", back, err)
		}
		w.F = 1.5
		if _, err := Encode(c, nil, &w, syncproto.Limits{}); words(err) != "f: the data model has no float64" {
			t.Error(err)
		}
		deep := &smallStruct{}
		for range 40 {
			deep = &smallStruct{Up: deep}
		}
		var p *syncproto.ProtocolError
		if _, err := Encode(c, nil, deep, syncproto.Limits{}); !errors.As(err, &p) || p.Code != syncproto.CodeLimit {
			t.Error(err)
		}
		ring := &smallStruct{}
		ring.Up = ring
		if _, err := Encode(c, nil, ring, syncproto.Limits{}); !strings.Contains(words(err), "a cycle of pointers?") {
			t.Error(err)
		}
		pp := &deep
		if b, err = Encode(c, nil, &pp, syncproto.Limits{Depth: 255}); err != nil {
			t.Fatal(err)
		}
		var qq **smallStruct
		if err := Decode(c, b, &qq, syncproto.Limits{Depth: 255}, false); err != nil || !reflect.DeepEqual(qq, pp) {
			t.Error(err)
		}
	}
	many := make([]struct{}, syncproto.MaxValues)
	for _, c := range BuiltIn() {
		sameEncoding(t, c, &many, syncproto.Limits{})
		few := many[:syncproto.MaxValues-1]
		sameDecoding[[]struct{}](t, c, sameEncoding(t, c, &few, syncproto.Limits{}), syncproto.Limits{})
	}
}

func fuzzPlans(f *testing.F, c Codec) {
	for _, z := range []zoo{{}, {
		S: "s", L: []string{"a", "b"}, List: []smallStruct{{N: -1}, {U: []uint16{1, 300}}},
		Ptr: &smallStruct{N: 1, Up: &smallStruct{}},
		M:   map[string]smallStruct{"k": {}}, Raw: []byte{0}, Bools: []bool{true},
	}} {
		b, err := Encode(c, nil, &z, syncproto.Limits{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		sameDecoding[zoo](t, c, b, syncproto.Limits{Depth: 6})
		sameDecoding[syncproto.Hello](t, c, b, syncproto.Limits{Depth: 6})
		sameDecoding[[]smallStruct](t, c, b, syncproto.Limits{Depth: 6})
	})
}

func FuzzPlansMessagePack(f *testing.F) { fuzzPlans(f, MessagePack()) }

func FuzzPlansJSON(f *testing.F) { fuzzPlans(f, JSON()) }
