package codectest_test

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"unicode/utf8"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/codec/codectest"
)

// cbor is a codec that a third party might bring, written with nothing but the exported names: RFC 8949, definite lengths, shortest forms.
type cbor struct{}

// Major types and simple values, RFC 8949 section 3.
const (
	cborUint, cborNegative, cborBytes, cborText, cborList, cborMap = 0 << 5, 1 << 5, 2 << 5, 3 << 5, 4 << 5, 5 << 5

	cborFalse, cborTrue, cborNull = 0xf4, 0xf5, 0xf6
)

func TestCBOR(t *testing.T) { codectest.Run(t, cbor{}) }

func (cbor) Name() string { return "cbor" }

func (c cbor) Append(dst []byte, v syncproto.Value) ([]byte, error) {
	if err := codec.Check(v, codec.MaxDepth); err != nil {
		return dst, err
	}
	return c.append(dst, v), nil
}

func cborHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

func (c cbor) append(b []byte, v syncproto.Value) []byte {
	switch v.Kind() {
	case syncproto.Bool:
		if t, _ := v.Bool(); t {
			return append(b, cborTrue)
		}
		return append(b, cborFalse)
	case syncproto.Int:
		if n, ok := v.Uint(); ok {
			return cborHead(b, cborUint, n)
		}
		n, _ := v.Int()
		return cborHead(b, cborNegative, uint64(-1-n))
	case syncproto.String:
		s, _ := v.Text()
		return append(cborHead(b, cborText, uint64(len(s))), s...)
	case syncproto.Bytes:
		s, _ := v.RawBytes()
		return append(cborHead(b, cborBytes, uint64(len(s))), s...)
	case syncproto.List:
		b = cborHead(b, cborList, uint64(len(v.List())))
		for _, e := range v.List() {
			b = c.append(b, e)
		}
		return b
	case syncproto.Map:
		b = cborHead(b, cborMap, uint64(len(v.Fields())))
		for _, f := range v.Fields() {
			b = append(cborHead(b, cborText, uint64(len(f.Name))), f.Name...)
			b = c.append(b, f.Value)
		}
		return b
	}
	return append(b, cborNull)
}

func (cbor) Decode(b []byte, l syncproto.Limits) (syncproto.Value, error) {
	r := cborReader{b}
	v, err := r.value(int(l.WithDefaults().Depth))
	if err == nil && len(r.b) > 0 {
		err = errors.New("something follows the value")
	}
	if err == nil {
		// What no codec may hand out; the depth is known to be right.
		err = codec.Check(v, codec.MaxDepth)
	}
	if err == nil {
		return v, nil
	}
	var p *syncproto.ProtocolError
	if !errors.As(err, &p) {
		err = &syncproto.ProtocolError{Code: syncproto.CodeDecode, Text: "cbor: " + err.Error()}
	}
	return syncproto.Value{}, err
}

type cborReader struct{ b []byte }

func (r *cborReader) head() (first byte, n uint64, err error) {
	if len(r.b) == 0 {
		return 0, 0, errors.New("the end stands where a value should")
	}
	first = r.b[0]
	n = uint64(first & 31)
	size := 0
	if n >= 24 {
		size = 1 << (n - 24)
	}
	if n > 27 || len(r.b) <= size {
		return 0, 0, errors.New("a head is cut off or of no definite length")
	}
	if size > 0 {
		n = 0
		for _, c := range r.b[1 : 1+size] {
			n = n<<8 | uint64(c)
		}
	}
	r.b = r.b[1+size:]
	if len(cborHead(nil, 0, n)) != 1+size {
		return 0, 0, errors.New("a head is not in its shortest form")
	}
	return first, n, nil
}

func (r *cborReader) value(depth int) (syncproto.Value, error) {
	first, n, err := r.head()
	if err != nil {
		return syncproto.Value{}, err
	}
	switch major := first &^ 31; {
	case first == cborFalse || first == cborTrue:
		return syncproto.BoolValue(first == cborTrue), nil
	case first == cborNull:
		return syncproto.Value{}, nil
	case major == cborUint:
		return syncproto.UintValue(n), nil
	case major == cborNegative && n <= math.MaxInt64:
		return syncproto.IntValue(-1 - int64(n)), nil
	case major == cborBytes || major == cborText:
		s, err := r.take(n)
		if major == cborBytes {
			return syncproto.BytesValue(s), err
		}
		if err == nil && !utf8.Valid(s) {
			err = errors.New("text is not valid UTF-8")
		}
		return syncproto.StringValue(string(s)), err
	case major == cborList || major == cborMap:
		if n > uint64(len(r.b)) {
			return syncproto.Value{}, errors.New("a length is over the bytes that remain")
		}
		if depth == 0 {
			return syncproto.Value{}, &syncproto.ProtocolError{Code: syncproto.CodeLimit, Text: "cbor: nested over the limit"}
		}
		return r.nested(major == cborMap, n, depth-1)
	}
	return syncproto.Value{}, errors.New("not of the data model")
}

func (r *cborReader) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.b)) {
		return nil, errors.New("a length is over the bytes that remain")
	}
	s := r.b[:n]
	r.b = r.b[n:]
	return s, nil
}

func (r *cborReader) nested(isMap bool, n uint64, depth int) (syncproto.Value, error) {
	var list []syncproto.Value
	var fields []syncproto.Field
	for range n {
		var name []byte
		if isMap {
			first, n, err := r.head()
			if err != nil || first&^31 != cborText {
				return syncproto.Value{}, errors.New("a key of a map is not text")
			}
			if name, err = r.take(n); err != nil {
				return syncproto.Value{}, err
			}
		}
		v, err := r.value(depth)
		if err != nil {
			return syncproto.Value{}, err
		}
		if isMap {
			fields = append(fields, syncproto.Field{Name: string(name), Value: v})
		} else {
			list = append(list, v)
		}
	}
	if isMap {
		return syncproto.MapValue(fields...), nil
	}
	return syncproto.ListValue(list...), nil
}
