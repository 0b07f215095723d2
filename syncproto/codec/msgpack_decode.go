package codec

import (
	"bytes"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/handfast/handfast/syncproto"
)

func (msgpackCodec) Decode(b []byte, l syncproto.Limits) (syncproto.Value, error) {
	w := walker{b: b}
	if err := w.value(depthOf(l)); err != nil {
		return syncproto.Value{}, err
	}
	if w.i < len(b) {
		return syncproto.Value{}, w.wrong(w.i, "something follows the value")
	}
	m := builder{in: bytes.NewReader(b), size: len(b), dec: msgpack.GetDecoder()}
	defer msgpack.PutDecoder(m.dec)
	m.dec.Reset(m.in)
	v, err := m.value()
	if err != nil {
		return syncproto.Value{}, err
	}
	return v, nil
}

// builder makes a Value of an encoding that the walker let pass, so every length is of something that is there. The library reads; its own decoding into
// interfaces and structs is not used.
type builder struct {
	in   *bytes.Reader
	size int
	dec  *msgpack.Decoder
}

func (m *builder) offset() int { return m.size - m.in.Len() }

func (m *builder) value() (syncproto.Value, error) {
	at := m.offset()
	c, err := m.dec.PeekCode()
	if err != nil {
		return syncproto.Value{}, m.library(at, err)
	}
	var v syncproto.Value
	switch {
	case c == mpNil:
		err = m.dec.DecodeNil()
	case c == mpFalse || c == mpTrue:
		var t bool
		t, err = m.dec.DecodeBool()
		v = syncproto.BoolValue(t)
	case c <= mpMaxPositive || c >= mpUint8 && c <= mpUint64:
		var n uint64
		n, err = m.dec.DecodeUint64()
		v = syncproto.UintValue(n)
	case c >= mpFixNegative || c >= mpInt8 && c <= mpInt64:
		var n int64
		n, err = m.dec.DecodeInt64()
		v = syncproto.IntValue(n)
	case isLength(c, lenOfString):
		var s string
		s, err = m.dec.DecodeString()
		v = syncproto.StringValue(s)
	case isLength(c, lenOfBytes):
		var s []byte
		s, err = m.dec.DecodeBytes()
		v = syncproto.BytesValue(s)
	case isLength(c, lenOfList):
		return m.list(at)
	default:
		return m.fields(at)
	}
	if err != nil {
		return syncproto.Value{}, m.library(at, err)
	}
	return v, nil
}

func (m *builder) list(at int) (syncproto.Value, error) {
	n, err := m.dec.DecodeArrayLen()
	if err != nil {
		return syncproto.Value{}, m.library(at, err)
	}
	list := make([]syncproto.Value, max(n, 0))
	for i := range list {
		if list[i], err = m.value(); err != nil {
			return syncproto.Value{}, err
		}
	}
	return syncproto.ListValue(list...), nil
}

func (m *builder) fields(at int) (syncproto.Value, error) {
	n, err := m.dec.DecodeMapLen()
	if err != nil {
		return syncproto.Value{}, m.library(at, err)
	}
	fields := make([]syncproto.Field, max(n, 0))
	for i := range fields {
		if fields[i].Name, err = m.dec.DecodeString(); err != nil {
			return syncproto.Value{}, m.library(at, err)
		}
		if fields[i].Value, err = m.value(); err != nil {
			return syncproto.Value{}, err
		}
	}
	if name, twice := duplicate(fields); twice {
		return syncproto.Value{}, refuse(place(nameMessagePack, at), duplicateName(name))
	}
	return syncproto.MapValue(fields...), nil
}

// library is the error for bytes that the walker let pass and the library does not: there are none known.
func (m *builder) library(at int, err error) error {
	return refuse(place(nameMessagePack, at), err.Error())
}
