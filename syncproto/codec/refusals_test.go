package codec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

type refusal struct{ in, want string }

var refusedJSON = []refusal{
	{``, "json at byte 0: the end stands where a value should"},
	{` `, "json at byte 1: the end stands where a value should"},
	{`nul`, `json at byte 0: no value starts with "n"`},
	{`NaN`, `json at byte 0: no value starts with "N"`},
	{"\x00", `json at byte 0: no value starts with "\x00"`},
	{"\ufeff1", `json at byte 0: no value starts with "\xef"`},
	{`1 2`, "json at byte 2: something follows the value"},
	{`{}x`, "json at byte 2: something follows the value"},
	{`1.0`, "json at byte 0: a number has a fraction or an exponent; integers only"},
	{`1e3`, "json at byte 0: a number has a fraction or an exponent; integers only"},
	{`[2E0]`, "json at byte 1: a number has a fraction or an exponent; integers only"},
	{`-0`, "json at byte 0: -0 is not an integer"},
	{`01`, "json at byte 0: a number starts with zero"},
	{`-01`, "json at byte 0: a number starts with zero"},
	{`-`, "json at byte 0: want a digit after the minus"},
	{`-x`, "json at byte 0: want a digit after the minus"},
	{`+1`, `json at byte 0: no value starts with "+"`},
	{`18446744073709551616`, "json at byte 0: a number is outside -2^63 to 2^64-1"},
	{`-9223372036854775809`, "json at byte 0: a number is outside -2^63 to 2^64-1"},
	{`100000000000000000000000000000000000000000`, "json at byte 0: a number is outside -2^63 to 2^64-1"},
	{`"`, "json at byte 1: the end stands inside a string"},
	{`"\`, "json at byte 1: not an escape of JSON"},
	{`"\x"`, "json at byte 1: not an escape of JSON"},
	{`"\u12"`, "json at byte 1: not an escape of JSON"},
	{`"\u12g4"`, "json at byte 1: not an escape of JSON"},
	{`"\ud800"`, "json at byte 1: an escape is half a surrogate pair"},
	{`"\udc00\ud800"`, "json at byte 1: an escape is half a surrogate pair"},
	{`"\ud800\ud800"`, "json at byte 1: an escape is half a surrogate pair"},
	{`"\ud800x"`, "json at byte 1: an escape is half a surrogate pair"},
	{`"a\n` + "\n" + `"`, "json at byte 4: a control character stands in a string"},
	{"\"a\x00\"", "json at byte 2: a control character stands in a string"},
	{"\"\xff\"", "json at byte 1: text is not valid UTF-8"},
	{"\"\\n\xc0\x80\"", "json at byte 1: text is not valid UTF-8"},
	{"\"\xed\xa0\x80\"", "json at byte 1: text is not valid UTF-8"},
	{`[1`, `json at byte 2: want a comma or "]"`},
	{`[1 2]`, `json at byte 3: want a comma or "]"`},
	{`[1,]`, `json at byte 3: no value starts with "]"`},
	{`[,1]`, `json at byte 1: no value starts with ","`},
	{`[1}`, `json at byte 2: want a comma or "]"`},
	{`{"a"}`, "json at byte 4: want a colon after the name of a field"},
	{`{"a":}`, `json at byte 5: no value starts with "}"`},
	{`{"a":1,}`, "json at byte 7: want the name of a field"},
	{`{a:1}`, "json at byte 1: want the name of a field"},
	{`{1:1}`, "json at byte 1: want the name of a field"},
	{`{"a":1,"a":1}`, `json at byte 0: name "a" stands twice in a map`},
	{`[{"a":1,"b":2,"\u0061":3}]`, `json at byte 1: name "a" stands twice in a map`},
	{`{"$x":1}`, `json at byte 1: name "$x" starts with "$", which is reserved`},
	{`{"a":1,"$bytes":""}`, `json at byte 7: name "$bytes" starts with "$", which is reserved`},
	{`{"$bytes":"","a":1}`, `json at byte 12: want "}" after the only field "$bytes"`},
	{`{"$bytes":"AA"}`, `json at byte 10: not standard base64 with padding: "AA"`},
	{`{"$bytes":"AB=="}`, `json at byte 10: not standard base64 with padding: "AB=="`},
	{`{"$bytes":"AA\n=="}`, `json at byte 10: not standard base64 with padding: "AA\n=="`},
	{`{"$bytes":"__8="}`, `json at byte 10: not standard base64 with padding: "__8="`},
	{`{"$bytes":[1]}`, `json at byte 10: want a string after "$bytes"`},
	{`/**/1`, `json at byte 0: no value starts with "/"`},
	{`'a'`, `json at byte 0: no value starts with "'"`},
}

var refusedMessagePack = []refusal{
	{"", "msgpack at byte 0: the end stands where a value should"},
	{"\xdd\xff\xff\xff\x0f", "msgpack at byte 0: a length of 4294967055 needs more than the 0 bytes that remain"},
	{"\xdd\xff\xff\xff\xff", "msgpack at byte 0: a length of 4294967295 needs more than the 0 bytes that remain"},
	{"\x91\xdd\xff\xff\xff\x0f", "msgpack at byte 1: a length of 4294967055 needs more than the 0 bytes that remain"},
	{"\x81\xa1k\xdd\xff\xff\xff\x0f", "msgpack at byte 3: a length of 4294967055 needs more than the 0 bytes that remain"},
	{"\x81\xdd\xff\xff\xff\x0f\x01", "msgpack at byte 1: a key of a map is not a string"},
	{"\xdf\xff\xff\xff\x0f", "msgpack at byte 0: a length of 4294967055 needs more than the 0 bytes that remain"},
	{"\xdb\xff\xff\xff\x0f", "msgpack at byte 0: a length of 4294967055 needs more than the 0 bytes that remain"},
	{"\xc6\xff\xff\xff\x0f", "msgpack at byte 0: a length of 4294967055 needs more than the 0 bytes that remain"},
	{"\xdd\x00\x00", "msgpack at byte 0: the end stands inside a number"},
	{"\x82\xa1a\x01", "msgpack at byte 0: a length of 2 needs more than the 3 bytes that remain"},
	{"\x92\x01", "msgpack at byte 0: a length of 2 needs more than the 1 bytes that remain"},
	{"\x92\xa1a", "msgpack at byte 3: the end stands where a value should"},
	{"\xa2a", "msgpack at byte 0: a length of 2 needs more than the 1 bytes that remain"},
	{"\x01\x01", "msgpack at byte 1: something follows the value"},
	{"\xcd\x01", "msgpack at byte 0: the end stands inside a number"},
	{"\xcc\x7f", "msgpack at byte 0: an integer is not in its shortest form"},
	{"\xcd\x00\xff", "msgpack at byte 0: an integer is not in its shortest form"},
	{"\xce\x00\x00\xff\xff", "msgpack at byte 0: an integer is not in its shortest form"},
	{"\xcf\x00\x00\x00\x00\xff\xff\xff\xff", "msgpack at byte 0: an integer is not in its shortest form"},
	{"\xd0\xe0", "msgpack at byte 0: an integer is not in its shortest form"},
	{"\xd0\x01", "msgpack at byte 0: an integer is not in its shortest form"},
	{"\xd1\xff\x80", "msgpack at byte 0: an integer is not in its shortest form"},
	{"\xd2\xff\xff\x80\x00", "msgpack at byte 0: an integer is not in its shortest form"},
	{"\xd3\xff\xff\xff\xff\x80\x00\x00\x00", "msgpack at byte 0: an integer is not in its shortest form"},
	{"\xd9\x01a", "msgpack at byte 0: a length is not in its shortest form"},
	{"\xda\x00\x01a", "msgpack at byte 0: a length is not in its shortest form"},
	{"\xdb\x00\x00\x00\x01a", "msgpack at byte 0: a length is not in its shortest form"},
	{"\xc5\x00\x01a", "msgpack at byte 0: a length is not in its shortest form"},
	{"\xc6\x00\x00\x00\x01a", "msgpack at byte 0: a length is not in its shortest form"},
	{"\xdc\x00\x01\x01", "msgpack at byte 0: a length is not in its shortest form"},
	{"\xdd\x00\x00\x00\x01\x01", "msgpack at byte 0: a length is not in its shortest form"},
	{"\xde\x00\x01\xa1a\x01", "msgpack at byte 0: a length is not in its shortest form"},
	{"\xdf\x00\x00\x00\x00", "msgpack at byte 0: a length is not in its shortest form"},
	{"\xca\x00\x00\x00\x00", "msgpack at byte 0: first byte 0xca is a float, an extension or nothing; the data model " +
		"has none of these"},
	{"\xcb\x00\x00\x00\x00\x00\x00\x00\x00", "msgpack at byte 0: first byte 0xcb is a float, an extension or nothing; " +
		"the data model has none of these"},
	{"\xc1", "msgpack at byte 0: first byte 0xc1 is a float, an extension or nothing; the data model has none of these"},
	{"\xd6\xff\x00\x00\x00\x00", "msgpack at byte 0: first byte 0xd6 is a float, an extension or nothing; the data " +
		"model has none of these"},
	{"\xc7\x00\x01", "msgpack at byte 0: first byte 0xc7 is a float, an extension or nothing; the data model has none " +
		"of these"},
	{"\xa1\xff", "msgpack at byte 0: text is not valid UTF-8"},
	{"\x81\xa1\xff\x01", `msgpack at byte 1: name "\xff" is not valid UTF-8`},
	{"\x81\x01\x01", "msgpack at byte 1: a key of a map is not a string"},
	{"\x81\xc4\x01a\x01", "msgpack at byte 1: a key of a map is not a string"},
	{"\x81\xc0\x01", "msgpack at byte 1: a key of a map is not a string"},
	{"\x81\xa6$bytes\xa0", `msgpack at byte 1: name "$bytes" starts with "$", which is reserved`},
	{"\x82\xa1a\x01\xa1a\x01", `msgpack at byte 0: name "a" stands twice in a map`},
	{"\x91\x82\xa1a\x01\xa1a\x01", `msgpack at byte 1: name "a" stands twice in a map`},
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		c    codec.Codec
		list []refusal
	}{{codec.JSON(), refusedJSON}, {codec.MessagePack(), refusedMessagePack}} {
		for _, r := range test.list {
			v, err := test.c.Decode([]byte(r.in), syncproto.Limits{})
			if err == nil {
				t.Errorf("%s decoded %q to %v, want an error", test.c.Name(), r.in, v)
				continue
			}
			if want := "syncproto: " + r.want; err.Error() != want {
				t.Errorf("%s of %q:\n got %v\nwant %s", test.c.Name(), r.in, err, want)
			}
			if !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeDecode}) || !v.IsNull() {
				t.Errorf("%s of %q: value %v with error %v, want null and one of code decode", test.c.Name(), r.in, v, err)
			}
		}
	}
}

// Exceeding the depth is reported as a limit, before anything deeper is read.
func TestRefusesDepth(t *testing.T) {
	for _, test := range []struct {
		c  codec.Codec
		in string
		at string
	}{
		{codec.JSON(), strings.Repeat("[", 1<<20), "json at byte 4"},
		{codec.JSON(), strings.Repeat(`{"a":`, 1<<20), "json at byte 20"},
		{codec.JSON(), `[[[[{}]]]]`, "json at byte 4"},
		{codec.MessagePack(), strings.Repeat("\x91", 1<<20), "msgpack at byte 4"},
		{codec.MessagePack(), strings.Repeat("\x81\xa1a", 1<<20), "msgpack at byte 12"},
		{codec.MessagePack(), "\x91\x91\x91\x91\x80", "msgpack at byte 4"},
	} {
		_, err := test.c.Decode([]byte(test.in), syncproto.Limits{Depth: 4})
		want := "syncproto: " + test.at + ": lists and maps are nested over the limit"
		if !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeLimit}) || err.Error() != want {
			t.Errorf("Decode of %.12q...: %v, want %s", test.in, err, want)
		}
	}
}

// A length that claims gigabytes causes an error and no allocation, wherever it occurs.
func TestBombAllocatesNothing(t *testing.T) {
	for _, bomb := range []string{"\xdd\xff\xff\xff\x0f", "\xdf\xff\xff\xff\x0f", "\xdb\xff\xff\xff\x0f",
		"\xc6\xff\xff\xff\x0f"} {
		for _, in := range []string{bomb, "\x91" + bomb, "\x93\x01\x02" + bomb, "\x81\xa1k" + bomb,
			"\x81\xa1k\x91\x81\xa1k" + bomb} {
			b := []byte(in)
			var err error
			n := testing.AllocsPerRun(100, func() { _, err = codec.MessagePack().Decode(b, syncproto.Limits{}) })
			if err == nil || n > 8 {
				t.Errorf("Decode of %q: %v after %v allocations, want an error after at most the 8 of its text", in, err, n)
			}
		}
	}
}
