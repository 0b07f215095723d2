package codec

import (
	"encoding/binary"
	"math"

	"github.com/handfast/handfast/syncproto"
)

const nameMessagePack = "msgpack"

type msgpackCodec struct{}

// MessagePack returns the codec "msgpack": https://github.com/msgpack/msgpack/blob/master/spec.md without floats and
// extensions. The keys of maps are strings.
//
// Every value has exactly one encoding, the shortest, and Decode refuses any other: re-encoding a decoded value yields
// the same bytes, so a fingerprint of the bytes is one of the value.
func MessagePack() Codec { return msgpackCodec{} }

func (msgpackCodec) Name() string { return nameMessagePack }

func (msgpackCodec) Append(dst []byte, v syncproto.Value) ([]byte, error) {
	if err := Check(v, MaxDepth); err != nil {
		return dst, err
	}
	return appendMsgpack(dst, &v), nil
}

func appendMsgpack(b []byte, v *syncproto.Value) []byte {
	switch v.Kind() {
	case syncproto.Bool:
		if t, _ := v.Bool(); t {
			return append(b, mpTrue)
		}
		return append(b, mpFalse)
	case syncproto.Int:
		if n, ok := v.Uint(); ok {
			return appendMsgpackUint(b, n)
		}
		n, _ := v.Int()
		return appendMsgpackNegative(b, n)
	case syncproto.String:
		s, _ := v.Text()
		return append(appendMsgpackLen(b, lenOfString, len(s)), s...)
	case syncproto.Bytes:
		s, _ := v.RawBytes()
		return append(appendMsgpackLen(b, lenOfBytes, len(s)), s...)
	case syncproto.List:
		b = appendMsgpackLen(b, lenOfList, len(v.List()))
		list := v.List()
		for i := range list {
			b = appendMsgpack(b, &list[i])
		}
		return b
	case syncproto.Map:
		fields := v.Fields()
		b = appendMsgpackLen(b, lenOfMap, len(fields))
		for i := range fields {
			b = append(appendMsgpackLen(b, lenOfString, len(fields[i].Name)), fields[i].Name...)
			b = appendMsgpack(b, &fields[i].Value)
		}
		return b
	}
	return append(b, mpNil)
}

func appendMsgpackUint(b []byte, n uint64) []byte {
	switch {
	case n <= mpMaxPositive:
		return append(b, byte(n))
	case n <= math.MaxUint8:
		return append(b, mpUint8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, mpUint16), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, mpUint32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, mpUint64), n)
}

func appendMsgpackNegative(b []byte, n int64) []byte {
	switch {
	case n >= mpMinNegative:
		return append(b, byte(n))
	case n >= math.MinInt8:
		return append(b, mpInt8, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(b, mpInt16), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(b, mpInt32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, mpInt64), uint64(n))
}

func appendMsgpackLen(b []byte, of *lengths, n int) []byte {
	switch {
	case n <= of.maxFixed:
		return append(b, of.fixed|byte(n))
	case of.code8 != 0 && n <= math.MaxUint8:
		return append(b, of.code8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, of.code16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, of.code32), uint32(n))
}
