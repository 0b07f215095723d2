package vectors

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// generated are all vectors, as this code makes them.
func generated(t testing.TB) []Vector {
	var all []Vector
	for _, list := range [][]Vector{
		frames(), values(t), children(t), parents(t), orderForChild(t), orderForParent(t), corners(t),
	} {
		all = append(all, list...)
	}
	return all
}

// The files are exactly those that the code makes.
func TestFilesAreGenerated(t *testing.T) {
	want := map[string][]byte{}
	for _, v := range generated(t) {
		if want[v.Name] != nil {
			t.Fatalf("%s is made twice", v.Name)
		}
		want[v.Name] = v.Format()
	}
	if golden.Updating() {
		if err := os.RemoveAll("data"); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			path := filepath.Join("data", name+".vec")
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%d vectors written; they are compiled in with the next build", len(want))
		return
	}
	have := 0
	err := fs.WalkDir(FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		have++
		text, err := fs.ReadFile(FS(), path)
		if err == nil && !bytes.Equal(text, want[strings.TrimSuffix(path, ".vec")]) {
			t.Errorf("%s is not what the code makes: run go test ./syncproto/vectors -update", path)
		}
		return err
	})
	if err != nil || have != len(want) || have < 200 {
		t.Errorf("%d files, %d made, %v", have, len(want), err)
	}
}

// frames are single frames under the default limits.
func frames() []Vector {
	good := syncproto.Header{Kind: syncproto.KindNote, Seq: 1, Length: 2}
	raw := func(edit func(b []byte)) []byte {
		b := append(good.Append(nil), "{}"...)
		if edit != nil {
			edit(b)
		}
		return b
	}
	header := func(h syncproto.Header) []byte { return append(h.Append(nil), make([]byte, h.Length)...) }
	var all []Vector
	add := func(name, verdict, about string, data []byte) {
		all = append(all, Vector{Name: "frame/" + name, Kind: KindFrame, About: about, Section: "4", Verdict: verdict,
			Data: data})
	}
	for k := syncproto.KindHello; k <= syncproto.KindCancel; k++ {
		name := strings.ToLower(k.String())
		add("kind-"+name, "accept", "The header of "+k.String()+" with an empty payload.",
			header(syncproto.Header{Kind: k, Seq: 1}))
		add("more-"+name, map[bool]string{true: "accept", false: "refuse frame"}[k == syncproto.KindConfig],
			"Only CONFIG is ever cut into fragments.", header(syncproto.Header{Kind: k, Flags: syncproto.FlagMore, Seq: 1,
				Length: 1}))
		most := syncproto.DefaultLimits().Payload(k)
		if most <= 4<<10 {
			add("limit-"+name, "accept", "A payload of the limit.", header(syncproto.Header{Kind: k, Seq: 1, Length: most}))
			add("over-limit-"+name, "refuse limit", "A payload of one byte over the limit.",
				header(syncproto.Header{Kind: k, Seq: 1, Length: most + 1}))
		}
		over := syncproto.Header{Kind: k, Seq: 1, Length: most + 1}
		add("claims-over-limit-"+name, "refuse limit", "The length is judged before a byte of the payload is there.",
			over.Append(nil))
	}
	add("seq-last", "accept", "The last sequence number of all; how many frames there may be is a limit of the "+
		"conversation.", header(syncproto.Header{Kind: syncproto.KindNote, Seq: 65535}))
	add("seq-zero", "refuse frame", "Sequence numbers begin at 1.", header(syncproto.Header{Kind: syncproto.KindNote}))
	add("skippable-unknown", "accept", "An unknown kind that may be skipped.", raw(func(b []byte) { b[3], b[4] = 77, 2 }))
	for _, e := range []struct {
		name, verdict, about string
		at                   int
		to                   byte
	}{
		{"magic-first", "refuse foreign", "The first byte is not S.", 0, 's'},
		{"magic-second", "refuse foreign", "The second byte is not Y.", 1, 'y'},
		{"version-zero", "refuse version", "A framing that never was.", 2, 0},
		{"version-two", "refuse version", "A framing that is to come.", 2, 2},
		{"kind-zero", "refuse frame", "Zero is never a kind.", 3, 0},
		{"kind-eleven", "refuse frame", "A kind that is not known and may not be skipped.", 3, 11},
		{"kind-last", "refuse frame", "The last number of all is not a kind either.", 3, 255},
		{"flag-four", "refuse frame", "A flag that stands for nothing.", 4, 4},
		{"flag-last", "refuse frame", "The last flag stands for nothing.", 4, 0x80},
		{"flag-all", "refuse frame", "All flags at once.", 4, 0xff},
		{"reserved-first", "refuse frame", "The reserved bytes are zero.", 10, 1},
		{"reserved-second", "refuse frame", "Both of them.", 11, 0x80},
		{"length-top", "refuse limit", "A length of more than two thousand million.", 12, 0x80},
	} {
		add(e.name, e.verdict, e.about, raw(func(b []byte) { b[e.at] = e.to }))
	}
	zero := raw(func(b []byte) { b[3], b[4] = 0, 2 })
	add("kind-zero-skippable", "refuse frame", "Zero is never a kind, not even one to be skipped.", zero)
	add("more-unknown", "refuse frame", "A frame of an unknown kind is not cut into fragments either.",
		raw(func(b []byte) { b[3], b[4] = 77, 3 }))
	add("claims-over-limit-unknown", "refuse limit", "An unknown kind has the limit of control.",
		syncproto.Header{Kind: 77, Flags: 2, Seq: 1, Length: 4097}.Append(nil))
	add("skippable-known", "accept", "SKIPPABLE means nothing on a kind that is known.",
		raw(func(b []byte) { b[4] = 2 }))
	add("json-text", "refuse foreign", "Another program's protocol.", []byte(`{"type":"procReady","flags":0}`))
	add("short-header", "refuse frame", "Fewer bytes than a header.", raw(nil)[:15])
	add("short-payload", "refuse frame", "Fewer bytes than the length says.", raw(nil)[:17])
	add("long-payload", "refuse frame", "More bytes than the length says, in one packet.", append(raw(nil), '!'))
	return all
}

// values are encodings of values in each codec.
func values(t testing.TB) []Vector {
	var all []Vector
	add := func(c codec.Codec, name, verdict, about string, data string) {
		v := Vector{Name: "value/" + c.Name() + "/" + name, Kind: KindValue, Codec: c.Name(), About: about,
			Section: map[string]string{"json": "5.1", "msgpack": "5.2"}[c.Name()], Verdict: verdict, Data: []byte(data)}
		if verdict == "accept" {
			val, err := c.Decode(v.Data, syncproto.Limits{})
			if err == nil {
				var text []byte
				text, err = codec.JSON().Append(nil, val)
				v.Value = string(text)
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		all = append(all, v)
	}
	for _, c := range []codec.Codec{codec.JSON(), codec.MessagePack()} {
		for _, e := range models() {
			b, err := c.Append(nil, e.value)
			if err != nil {
				t.Fatal(err)
			}
			add(c, e.name, "accept", e.about, string(b))
		}
		for _, e := range refusedBy(c.Name()) {
			add(c, "refuse-"+e.name, "refuse "+e.code, e.about, e.in)
		}
	}
	add(codec.JSON(), "white-space", "accept", "White space may stand anywhere between tokens.",
		" {\t\"a\" :\r\n [ 1 , true ] } ")
	add(codec.JSON(), "escapes", "accept", "Every escape, and a surrogate pair.", `"\"\\\/\b\f\n\r\t\u00e9\ud83e\udd1d"`)
	add(codec.JSON(), "names-by-case", "accept", "Names are compared byte by byte.", `{"a":1,"A":2,"á":3}`)
	return all
}

type model struct {
	name, about string
	value       syncproto.Value
}

func models() []model {
	n, s := syncproto.IntValue, syncproto.StringValue
	list := []model{
		{"null", "Null.", syncproto.Value{}}, {"true", "True.", syncproto.BoolValue(true)},
		{"false", "False.", syncproto.BoolValue(false)},
		{"text-empty", "Text without a character.", s("")},
		{"text-31", "The longest text whose length is in the first byte of MessagePack.", s(strings.Repeat("x", 31))},
		{"text-32", "One more.", s(strings.Repeat("x", 32))}, {"text-256", "Text of 256 bytes.", s(strings.Repeat("x", 256))},
		{"text-unicode", "Text outside ASCII.", s("é 🤝 \u2028")}, {"text-control", "Control characters, the zero among them.",
			s("\x00\x1f\n\x7f\"\\")},
		{"bytes-empty", "No bytes.", syncproto.BytesValue(nil)}, {"bytes-any", "Bytes that are no text.",
			syncproto.BytesValue([]byte{0, 255, 0xc0, 0x80})}, {"bytes-256", "256 bytes.",
			syncproto.BytesValue(make([]byte, 256))},
		{"list-empty", "A list of nothing.", syncproto.ListValue()}, {"list-mixed", "A list of several kinds.",
			syncproto.ListValue(n(1), s("a"), syncproto.Value{}, syncproto.BoolValue(true), syncproto.ListValue())},
		{"list-16", "A list of 16.", syncproto.ListValue(make([]syncproto.Value, 16)...)},
		{"map-empty", "A map of nothing.", syncproto.MapValue()}, {"map-empty-name", "A name without a character.",
			syncproto.MapValue(syncproto.Field{Name: "", Value: n(1)})},
		{"map-nested", "Maps in maps.", syncproto.MapValue(syncproto.Field{Name: "a",
			Value: syncproto.MapValue(syncproto.Field{Name: "a", Value: n(1)})}, syncproto.Field{Name: "b",
			Value: syncproto.Value{}})},
		{"integer-first", "The least integer, -2^63.", n(-1 << 63)}, {"integer-last", "The greatest integer, 2^64-1.",
			syncproto.UintValue(1<<64 - 1)},
	}
	for _, e := range []struct {
		name string
		n    int64
	}{{"0", 0}, {"127", 127}, {"128", 128}, {"255", 255}, {"256", 256}, {"65535", 65535}, {"65536", 65536},
		{"2-32", 1 << 32}, {"minus-1", -1}, {"minus-32", -32}, {"minus-33", -33}, {"minus-128", -128},
		{"minus-129", -129}, {"minus-32768", -32768}, {"minus-32769", -32769}, {"minus-2-31", -1 << 31},
		{"minus-2-31-1", -1<<31 - 1}, {"2-63-1", 1<<63 - 1}} {
		list = append(list, model{"integer-" + e.name, "An integer at an edge of its encodings.", n(e.n)})
	}
	deep := syncproto.Value{}
	for range 32 {
		deep = syncproto.ListValue(deep)
	}
	return append(list, model{"depth-32", "Nested as deep as the default limit allows.", deep})
}

type wrongValue struct{ name, code, about, in string }

func refusedBy(c string) []wrongValue {
	if c == "json" {
		return []wrongValue{
			{"empty", "decode", "Nothing is not a value.", ""}, {"two-values", "decode", "Something follows the value.", "1 2"},
			{"byte-order-mark", "decode", "No mark stands before the value.", "\ufeff1"},
			{"nan", "decode", "Not JSON.", "NaN"}, {"fraction", "decode", "There are no fractions.", "1.0"},
			{"exponent", "decode", "There are no exponents.", "1e3"}, {"minus-zero", "decode", "-0 is not an integer.", "-0"},
			{"leading-zero", "decode", "A number does not start with zero.", "01"}, {"plus", "decode", "No plus.", "+1"},
			{"integer-over", "decode", "2^64 is out of range.", "18446744073709551616"},
			{"integer-under", "decode", "-2^63-1 is out of range.", "-9223372036854775809"},
			{"open-text", "decode", "Text without an end.", `"a`}, {"bad-escape", "decode", "Not an escape.", `"\x"`},
			{"short-escape", "decode", "An escape of two digits.", `"\u12"`}, {"high-surrogate", "decode",
				"Half a surrogate pair.", `"\ud800"`}, {"low-surrogate", "decode", "The other half alone.", `"\udc00"`},
			{"surrogates-turned", "decode", "The halves in the wrong order.", `"\udc00\ud800"`},
			{"control", "decode", "A control character in text.", "\"\x01\""}, {"not-utf8", "decode", "Not UTF-8.", "\"\xff\""},
			{"overlong-utf8", "decode", "UTF-8 in more bytes than needed.", "\"\xc0\x80\""},
			{"utf8-surrogate", "decode", "A surrogate as UTF-8.", "\"\xed\xa0\x80\""},
			{"trailing-comma", "decode", "A comma too much.", "[1,]"},
			{"no-comma", "decode", "A comma too few.", "[1 2]"}, {"name-without-quotes", "decode", "A name is text.", "{a:1}"},
			{"duplicate", "decode", "A name that stands twice.", `{"a":1,"a":1}`},
			{"duplicate-escaped", "decode", "The same name, once by an escape.", `{"a":1,"\u0061":1}`},
			{"dollar", "decode", "Names that start with $ are reserved.", `{"$x":1}`},
			{"bytes-and-more", "decode", "$bytes is the only field of its object.", `{"$bytes":"","a":1}`},
			{"base64-padding", "decode", "Base64 has its padding.", `{"$bytes":"AA"}`},
			{"base64-bits", "decode", "Bits that stand for nothing are zero.", `{"$bytes":"AB=="}`},
			{"base64-url", "decode", "Not the alphabet for addresses.", `{"$bytes":"__8="}`},
			{"base64-number", "decode", "$bytes is text.", `{"$bytes":1}`}, {"comment", "decode", "There are no comments.",
				"/**/1"}, {"single-quotes", "decode", "Not JSON.", "'a'"},
			{"depth-33", "limit", "One list deeper than the default limit.", strings.Repeat("[", 33) + strings.Repeat("]", 33)},
		}
	}
	return []wrongValue{
		{"empty", "decode", "Nothing is not a value.", ""}, {"two-values", "decode", "Something follows the value.",
			"\x01\x01"}, {"bomb-list", "decode", "A list that claims four thousand million values.", "\xdd\xff\xff\xff\x0f"},
		{"bomb-map", "decode", "A map that claims as many.", "\xdf\xff\xff\xff\x0f"},
		{"bomb-text", "decode", "Text that claims as many.", "\xdb\xff\xff\xff\x0f"},
		{"bomb-bytes", "decode", "Bytes that claim as many.", "\xc6\xff\xff\xff\x0f"},
		{"bomb-nested", "decode", "The same inside a map.", "\x81\xa1k\xdd\xff\xff\xff\x0f"},
		{"short-number", "decode", "A number without its second byte.", "\xcd\x01"},
		{"short-text", "decode", "Text without its second byte.", "\xa2a"},
		{"long-uint8", "decode", "127 in two bytes.", "\xcc\x7f"}, {"long-uint16", "decode", "255 in three bytes.",
			"\xcd\x00\xff"}, {"long-uint32", "decode", "65535 in five bytes.", "\xce\x00\x00\xff\xff"},
		{"long-uint64", "decode", "2^32-1 in nine bytes.", "\xcf\x00\x00\x00\x00\xff\xff\xff\xff"},
		{"long-int8", "decode", "-32 in two bytes.", "\xd0\xe0"}, {"positive-int8", "decode", "1 as a signed number.",
			"\xd0\x01"},
		{"positive-int16", "decode", "300 as a signed number, as short as the unsigned one, which counts.", "\xd1\x01\x2c"},
		{"positive-int32", "decode", "70000 likewise.", "\xd2\x00\x01\x11\x70"},
		{"positive-int64", "decode", "2^33 likewise.", "\xd3\x00\x00\x00\x02\x00\x00\x00\x00"},
		{"long-int64", "decode", "-2^31 in nine bytes.", "\xd3\xff\xff\xff\xff\x80\x00\x00\x00"},
		{"long-text", "decode", "A length in a second byte that fits the first.", "\xd9\x01a"},
		{"long-bytes", "decode", "A length in two bytes that fits one.", "\xc5\x00\x01a"},
		{"long-list", "decode", "A list of one with a length of two bytes.", "\xdc\x00\x01\x01"},
		{"long-map", "decode", "A map of one with a length of two bytes.", "\xde\x00\x01\xa1a\x01"},
		{"float32", "decode", "There are no floats.", "\xca\x00\x00\x00\x00"},
		{"float64", "decode", "There are no floats.", "\xcb\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"timestamp", "decode", "There are no timestamps.", "\xd6\xff\x00\x00\x00\x00"},
		{"extension", "decode", "There are no extensions.", "\xc7\x00\x01"},
		{"never-used", "decode", "The byte that the format never uses.", "\xc1"},
		{"not-utf8", "decode", "Not UTF-8.", "\xa1\xff"}, {"name-not-text", "decode", "A key that is a number.",
			"\x81\x01\x01"}, {"name-bytes", "decode", "A key that is bytes.", "\x81\xc4\x01a\x01"},
		{"dollar", "decode", "Names that start with $ are reserved.", "\x81\xa6$bytes\xa0"},
		{"duplicate", "decode", "A name that stands twice.", "\x82\xa1a\x01\xa1a\x01"},
		{"depth-33", "limit", "One list deeper than the default limit.", strings.Repeat("\x91", 32) + "\x90"},
	}
}
