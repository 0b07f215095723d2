package codec

import (
	"strconv"

	"github.com/handfast/handfast/syncproto"
)

const nameJSON = "json"

// bytesName is the name of the field that marks a JSON object as bytes.
const bytesName = "$bytes"

type jsonCodec struct{}

// JSON returns the codec "json": RFC 8259, but strict. The greeting always uses it.
//
// Bytes are an object with the single field "$bytes", a string in standard base64 with padding. Integers have no
// fraction, exponent or leading zero, and "-0" is refused. White space is accepted where RFC 8259 allows it and never
// written.
//
// It does not use encoding/json, which matches names in any case, lets the last of two equal names win, and repairs
// text that is not UTF-8: two sides that read the same bytes would then not always read the same message. Everything
// that this codec accepts, encoding/json accepts too, with the same meaning.
func JSON() Codec { return jsonCodec{} }

func (jsonCodec) Name() string { return nameJSON }

func (jsonCodec) Append(dst []byte, v syncproto.Value) ([]byte, error) {
	if err := Check(v, MaxDepth); err != nil {
		return dst, err
	}
	return appendJSON(dst, &v), nil
}

func appendJSON(b []byte, v *syncproto.Value) []byte {
	switch v.Kind() {
	case syncproto.Bool:
		t, _ := v.Bool()
		return strconv.AppendBool(b, t)
	case syncproto.Int:
		if n, ok := v.Uint(); ok {
			return strconv.AppendUint(b, n, 10)
		}
		n, _ := v.Int()
		return strconv.AppendInt(b, n, 10)
	case syncproto.String:
		s, _ := v.Text()
		return appendJSONString(b, s)
	case syncproto.Bytes:
		s, _ := v.RawBytes()
		return appendJSONBytes(b, s)
	case syncproto.List:
		b = append(b, '[')
		list := v.List()
		for i := range list {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, &list[i])
		}
		return append(b, ']')
	case syncproto.Map:
		b = append(b, '{')
		fields := v.Fields()
		for i := range fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSONString(b, fields[i].Name), ':')
			b = appendJSON(b, &fields[i].Value)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

func appendJSONBytes[B string | []byte](b []byte, raw B) []byte {
	b = append(b, `{"`+bytesName+`":"`...)
	b = appendBase64(b, raw)
	return append(b, `"}`...)
}

// appendJSONString escapes only what RFC 8259 requires.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, s[start:]...), '"')
}
