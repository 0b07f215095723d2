package codec_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/codec/codectest"
)

// third is a codec as another package might implement it: it inverts every byte of MessagePack.
type third struct{ name string }

func (c third) Name() string { return c.name }

func (c third) Append(dst []byte, v syncproto.Value) ([]byte, error) {
	n := len(dst)
	dst, err := codec.MessagePack().Append(dst, v)
	for i := n; err == nil && i < len(dst); i++ {
		dst[i] ^= 0xff
	}
	return dst, err
}

func (c third) Decode(b []byte, l syncproto.Limits) (syncproto.Value, error) {
	b = slices.Clone(b)
	for i := range b {
		b[i] ^= 0xff
	}
	return codec.MessagePack().Decode(b, l)
}

// Encode and Decode work with codecs of other packages too.
func TestThirdCodec(t *testing.T) {
	c := third{"third"}
	codectest.Run(t, c)
	want := syncproto.Note{Level: "info", Text: "a line"}
	b, err := codec.Encode(c, nil, &want, syncproto.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got syncproto.Note
	if err := codec.Decode(c, b, &got, syncproto.Limits{}, false); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFind(t *testing.T) {
	all := append(codec.BuiltIn(), third{"third"})
	for _, c := range all {
		if got, ok := codec.Find(all, c.Name()); !ok || got != c {
			t.Errorf("Find of %q: %v, %v", c.Name(), got, ok)
		}
	}
	for _, name := range []string{"", "JSON", "cbor"} {
		if c, ok := codec.Find(all, name); ok {
			t.Errorf("Find of %q: %v, want none", name, c)
		}
	}
	if all := codec.BuiltIn(); len(all) != 2 || all[0] != codec.MessagePack() {
		t.Errorf("BuiltIn() = %v", all)
	}
}

// Equal names cost no more than different ones: a map of 100000 equal names is refused at once, not in quadratic time.
func TestManyEqualNames(t *testing.T) {
	const n = 100000
	b := binary.BigEndian.AppendUint32([]byte{0xdf}, n)
	b = append(b, strings.Repeat("\xa1a\x01", n)...)
	if _, err := codec.MessagePack().Decode(b, syncproto.Limits{}); err == nil {
		t.Error("msgpack decoded a map of equal names")
	}
	s := "{" + strings.Repeat(`"a":1,`, n) + `"a":1}`
	if _, err := codec.JSON().Decode([]byte(s), syncproto.Limits{}); err == nil {
		t.Error("json decoded a map of equal names")
	}
}

func TestCheckDepth(t *testing.T) {
	v := syncproto.ListValue(syncproto.MapValue(syncproto.Field{Name: "a", Value: syncproto.BytesValue(nil)}))
	if err := codec.Check(v, 2); err != nil {
		t.Error(err)
	}
	if err := codec.Check(v, 1); err == nil {
		t.Error("Check let a value of two levels pass with a depth of one")
	}
}

func ExampleCodec() {
	v := syncproto.MapValue(
		syncproto.Field{Name: "name", Value: syncproto.StringValue("chown")},
		syncproto.Field{Name: "arg", Value: syncproto.BytesValue([]byte{0xff, 0x00})},
	)
	for _, c := range []codec.Codec{codec.JSON(), codec.MessagePack()} {
		b, err := c.Append(nil, v)
		if err != nil {
			fmt.Println(err)
			return
		}
		back, err := c.Decode(b, syncproto.DefaultLimits())
		fmt.Printf("%s: %q\n%v %v\n", c.Name(), b, back.Equal(v), err)
	}
	// Output:
	// json: "{\"name\":\"chown\",\"arg\":{\"$bytes\":\"/wA=\"}}"
	// true <nil>
	// msgpack: "\x82\xa4name\xa5chown\xa3arg\xc4\x02\xff\x00"
	// true <nil>
}

func ExampleJSON() {
	_, err := codec.JSON().Decode([]byte(`{"type": 1, "type": 2}`), syncproto.DefaultLimits())
	fmt.Println(err)
	// Output: syncproto: json at byte 0: name "type" stands twice in a map
}

func ExampleMessagePack() {
	// Five bytes that claim four thousand million elements.
	_, err := codec.MessagePack().Decode([]byte("\xdd\xff\xff\xff\x0f"), syncproto.DefaultLimits())
	fmt.Println(err)
	// Output: syncproto: msgpack at byte 0: a length of 4294967055 needs more than the 0 bytes that remain
}
