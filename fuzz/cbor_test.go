package fuzz

import (
	"errors"
	"fmt"
	"math"

	"github.com/fxamacker/cbor/v2"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// cborCodec is a codec as a third party might write it: RFC 8949 by some library, using only the exported names of
// package codec. It writes maps in the order of RFC 8949 section 4.2.1, so that a value has only one encoding.
type cborCodec struct{}

func (cborCodec) Name() string { return "cbor" }

func (cborCodec) Append(dst []byte, v syncproto.Value) ([]byte, error) {
	if err := codec.Check(v, codec.MaxDepth); err != nil {
		return dst, err
	}
	mode, err := cbor.EncOptions{Sort: cbor.SortBytewiseLexical}.EncMode()
	if err != nil {
		return dst, err
	}
	b, err := mode.Marshal(toAny(v))
	return append(dst, b...), err
}

func toAny(v syncproto.Value) any {
	switch v.Kind() {
	case syncproto.Bool:
		b, _ := v.Bool()
		return b
	case syncproto.Int:
		if n, ok := v.Uint(); ok {
			return n
		}
		n, _ := v.Int()
		return n
	case syncproto.String:
		s, _ := v.Text()
		return s
	case syncproto.Bytes:
		s, _ := v.RawBytes()
		return []byte(s)
	case syncproto.List:
		list := make([]any, len(v.List()))
		for i, e := range v.List() {
			list[i] = toAny(e)
		}
		return list
	case syncproto.Map:
		fields := make(map[string]any, len(v.Fields()))
		for _, f := range v.Fields() {
			fields[f.Name] = toAny(f.Value)
		}
		return fields
	}
	return nil
}

func (cborCodec) Decode(b []byte, l syncproto.Limits) (syncproto.Value, error) {
	depth := int(l.WithDefaults().Depth)
	mode, err := decoding(depth)
	if err != nil {
		return syncproto.Value{}, refusal(err)
	}
	// The library limits each list and each map, but the protocol limits a whole message, so count the values before any
	// is made.
	if err := mode.Wellformed(b); err != nil {
		return syncproto.Value{}, refusal(err)
	}
	if values(b) > syncproto.MaxValues {
		return syncproto.Value{}, &syncproto.ProtocolError{Code: syncproto.CodeLimit, Text: "cbor: too many values"}
	}
	v, _, err := decode(mode, b)
	if err == nil {
		err = codec.Check(v, depth) // names, and what else makes no message of the protocol
	}
	if err != nil {
		return syncproto.Value{}, refusal(err)
	}
	return v, nil
}

// decode is the first value of b, which is well-formed, and what follows it. The library would make a Go map of each
// map, which takes many times the memory and loses the order; so lists and maps are opened here, and what is in them is
// the library's.
func decode(mode cbor.DecMode, b []byte) (v syncproto.Value, rest []byte, err error) {
	major, n, size := head(b)
	switch major {
	case cborList:
		list := make([]syncproto.Value, n)
		rest = b[size:]
		for i := range list {
			if list[i], rest, err = decode(mode, rest); err != nil {
				return v, nil, err
			}
		}
		return syncproto.ListValue(list...), rest, nil
	case cborMap:
		fields := make([]syncproto.Field, n)
		rest = b[size:]
		for i := range fields {
			if major, _, _ := head(rest); major != cborText {
				return v, nil, errors.New("a key of a map is not text")
			}
			if rest, err = mode.UnmarshalFirst(rest, &fields[i].Name); err != nil {
				return v, nil, err
			}
			if fields[i].Value, rest, err = decode(mode, rest); err != nil {
				return v, nil, err
			}
		}
		return syncproto.MapValue(fields...), rest, nil
	}
	var a any
	if rest, err = mode.UnmarshalFirst(b, &a); err == nil {
		v, err = fromAny(a)
	}
	return v, rest, err
}

// Major types, RFC 8949 section 3.
const (
	cborBytes = 2 + iota
	cborText
	cborList
	cborMap
)

// head is the first byte of a well-formed item of definite length, taken apart: its major type, its argument, and the
// bytes that these two take.
func head(b []byte) (major byte, arg uint64, size int) {
	arg, size = uint64(b[0]&31), 1
	if arg >= 24 {
		size += 1 << (arg - 24)
		arg = 0
		for _, c := range b[1:size] {
			arg = arg<<8 | uint64(c)
		}
	}
	return b[0] >> 5, arg, size
}

func decoding(depth int) (cbor.DecMode, error) {
	simple, err := cbor.NewSimpleValueRegistryFromDefaults(cbor.WithRejectedSimpleValue(23)) // undefined
	if err != nil {
		return nil, err
	}
	return cbor.DecOptions{
		IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden, UTF8: cbor.UTF8RejectInvalid,
		MaxNestedLevels:  max(depth, 4), // the least that the library takes; codec.Check knows the rest
		MaxArrayElements: syncproto.MaxValues, MaxMapPairs: syncproto.MaxValues,
		SimpleValues: simple,
	}.DecMode()
}

// values counts those of a well-formed encoding without indefinite lengths: all its items but the keys of its maps.
func values(b []byte) (n int) {
	for len(b) > 0 {
		major, arg, size := head(b)
		switch n++; major {
		case cborBytes, cborText:
			size += int(arg)
		case cborMap:
			n -= int(arg)
		}
		b = b[size:]
	}
	return n
}

func fromAny(a any) (syncproto.Value, error) {
	switch a := a.(type) {
	case nil:
		return syncproto.Value{}, nil
	case bool:
		return syncproto.BoolValue(a), nil
	case uint64:
		return syncproto.UintValue(a), nil
	case int64:
		return syncproto.IntValue(a), nil
	case string:
		return syncproto.StringValue(a), nil
	case []byte:
		return syncproto.BytesValue(a), nil
	}
	return syncproto.Value{}, fmt.Errorf("the data model has no %T", a)
}

// refusal converts an error of the library to one of the protocol.
func refusal(err error) error {
	var p *syncproto.ProtocolError
	if errors.As(err, &p) {
		return p
	}
	code := syncproto.CodeDecode
	var nested *cbor.MaxNestedLevelError
	var elements *cbor.MaxArrayElementsError
	var pairs *cbor.MaxMapPairsError
	if errors.As(err, &nested) || errors.As(err, &elements) || errors.As(err, &pairs) {
		code = syncproto.CodeLimit
	}
	text := err.Error()
	return &syncproto.ProtocolError{Code: code, Text: "cbor: " + text[:min(len(text), math.MaxUint8)]}
}
