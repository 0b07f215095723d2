package codec_test

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strconv"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/codec/codectest"
	"github.com/handfast/handfast/syncproto/vectors"
)

// seeds adds every conformance vector of a codec's values, and fails if there are none.
func seeds(f *testing.F, name string) {
	f.Helper()
	all, err := vectors.Of(vectors.KindValue)
	n := 0
	for _, v := range all {
		if v.Codec == name {
			f.Add(v.Data)
			n++
		}
	}
	if err != nil || n < 50 {
		f.Fatalf("%d vectors of %s, %v", n, name, err)
	}
}

// FuzzJSON compares the strict parser with encoding/json, which must accept everything that the parser accepts, with
// the same meaning.
func FuzzJSON(f *testing.F) {
	seeds(f, "json")
	for _, r := range refusedJSON {
		f.Add([]byte(r.in))
	}
	for _, s := range []string{`{"a":[1,-2,null,true],"b":{"$bytes":"AAE="},"c":"\ud83e\udd1d\u0000"}`, ` [ ] `,
		`18446744073709551615`, `-9223372036854775808`, "\"\u2028\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, ok := codectest.CheckDecoded(t, codec.JSON(), b)
		if !ok {
			return
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("accepted %q, which encoding/json refuses: %v", b, err)
		}
		if _, err := d.Token(); err != io.EOF {
			t.Fatalf("accepted %q, after which encoding/json finds more", b)
		}
		if got := plainJSON(v); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q means %#v, to encoding/json %#v", b, got, want)
		}
	})
}

// plainJSON returns v as encoding/json would decode it.
func plainJSON(v syncproto.Value) any {
	switch v.Kind() {
	case syncproto.Bool:
		b, _ := v.Bool()
		return b
	case syncproto.Int:
		return json.Number(v.String())
	case syncproto.String:
		s, _ := v.Text()
		return s
	case syncproto.Bytes:
		b, _ := codec.JSON().Append(nil, v)
		var m any
		_ = json.Unmarshal(b, &m)
		return m
	case syncproto.List:
		list := []any{}
		for _, e := range v.List() {
			list = append(list, plainJSON(e))
		}
		return list
	case syncproto.Map:
		m := map[string]any{}
		for _, e := range v.Fields() {
			m[e.Name] = plainJSON(e.Value)
		}
		return m
	}
	return nil
}

// FuzzMessagePack compares the decoder with the library's decoding into interfaces, and checks that re-encoding yields
// the same bytes.
func FuzzMessagePack(f *testing.F) {
	seeds(f, "msgpack")
	for _, r := range refusedMessagePack {
		f.Add([]byte(r.in))
	}
	f.Add([]byte("\x83\xa1a\x95\x01\xff\xc0\xc3\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa1b\xc4\x02\x00\x01\xa1c\xa0"))
	f.Add(append([]byte("\xd9\x20"), bytes.Repeat([]byte("x"), 32)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, ok := codectest.CheckDecoded(t, codec.MessagePack(), b)
		if !ok {
			return
		}
		if again, err := codec.MessagePack().Append(nil, v); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q decoded and encoded again is %q, %v", b, again, err)
		}
		var want any
		if err := msgpack.Unmarshal(b, &want); err != nil {
			t.Fatalf("accepted %q, which the library refuses: %v", b, err)
		}
		if got := plainMessagePack(v); !reflect.DeepEqual(got, widen(want)) {
			t.Fatalf("%q means %#v, to the library %#v", b, got, want)
		}
	})
}

// plainMessagePack returns v as the library would decode it, with every integer as a string of digits.
func plainMessagePack(v syncproto.Value) any {
	switch v.Kind() {
	case syncproto.Int:
		return json.Number(v.String())
	case syncproto.Bytes:
		s, _ := v.RawBytes()
		return []byte(s)
	case syncproto.List:
		list := []any{}
		for _, e := range v.List() {
			list = append(list, plainMessagePack(e))
		}
		return list
	case syncproto.Map:
		m := map[string]any{}
		for _, e := range v.Fields() {
			m[e.Name] = plainMessagePack(e.Value)
		}
		return m
	}
	return plainJSON(v)
}

// widen converts the library's many integer types to one.
func widen(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = widen(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = widen(v[k])
		}
	default:
		switch r := reflect.ValueOf(v); {
		case r.CanInt():
			return json.Number(strconv.FormatInt(r.Int(), 10))
		case r.CanUint():
			return json.Number(strconv.FormatUint(r.Uint(), 10))
		}
	}
	return v
}
