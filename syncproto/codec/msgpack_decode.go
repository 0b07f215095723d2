package codec

import (
	"bytes"
	"io"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/handfast/handfast/syncproto"
)

func (msgpackCodec) Decode(b []byte, l syncproto.Limits) (syncproto.Value, error) {
	w := walker{b: b, left: syncproto.MaxValues - 1}
	if err := w.value(depthOf(l)); err != nil {
		return syncproto.Value{}, err
	}
	if w.i < len(b) {
		return syncproto.Value{}, w.wrong(w.i, "something follows the value")
	}
	m := builder{b: b, in: bytes.NewReader(b), dec: msgpack.GetDecoder()}
	defer msgpack.PutDecoder(m.dec)
	m.dec.Reset(m.in)
	v, err := m.value()
	if err != nil {
		return syncproto.Value{}, err
	}
	return v, nil
}

// DecodeCall takes no memory where the argument is null, as it mostly is.
func (c msgpackCodec) DecodeCall(b []byte, l syncproto.Limits, known func(name []byte) string) (call syncproto.Call, ok bool) {
	w := walker{b: b, left: syncproto.MaxValues - 1}
	if len(b) == 0 || b[0] != mpFixMap|2 || w.value(depthOf(l)) != nil || w.i < len(b) {
		return call, false
	}
	w.i = 1
	hasArg := false
	for range 2 {
		key, _ := w.string()
		at := w.i
		switch string(key) {
		case "name":
			name, isText := w.string()
			if !isText || call.Name != "" {
				return call, false
			}
			call.Name = known(name)
		case "arg":
			if hasArg || w.value(depthOf(l)) != nil {
				return call, false
			}
			hasArg = true
			if b[at] == mpNil {
				continue
			}
			arg, err := c.Decode(b[at:w.i], l)
			if err != nil {
				return call, false
			}
			call.Arg = arg
		default:
			return call, false
		}
	}
	return call, call.Name != "" && hasArg
}

// builder makes a Value of an encoding that the walker let pass, so every length is of something that is there. The library reads; its own decoding into
// interfaces and structs is not used.
//
// All text of a message is cut from one copy of its bytes: one allocation for all of it, and none that grows with a length.
type builder struct {
	b    []byte
	text string // b, made where there is text
	in   *bytes.Reader
	dec  *msgpack.Decoder
}

func (m *builder) offset() int { return len(m.b) - m.in.Len() }

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
		s, err = m.string()
		v = syncproto.StringValue(s)
	case isLength(c, lenOfBytes):
		var s []byte
		s, err = m.bytes()
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

// bytes reads the length of a string or of bytes, and steps over what it is the length of.
func (m *builder) bytes() ([]byte, error) {
	n, err := m.dec.DecodeBytesLen()
	if err != nil {
		return nil, err
	}
	start := m.offset()
	if n < 0 || n > len(m.b)-start {
		return nil, io.ErrUnexpectedEOF
	}
	_, err = m.in.Seek(int64(n), io.SeekCurrent)
	return m.b[start : start+n], err
}

func (m *builder) string() (string, error) {
	s, err := m.bytes()
	if err != nil || len(s) == 0 {
		return "", err
	}
	if m.text == "" {
		m.text = string(m.b)
	}
	end := m.offset()
	return m.text[end-len(s) : end], nil
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
		if fields[i].Name, err = m.string(); err != nil {
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
