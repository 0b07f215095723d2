package codec

import "github.com/handfast/handfast/syncproto"

func (msgpackCodec) Decode(b []byte, l syncproto.Limits) (syncproto.Value, error) {
	w := walker{b: b, left: syncproto.MaxValues - 1}
	if err := w.value(depthOf(l)); err != nil {
		return syncproto.Value{}, err
	}
	if w.i < len(b) {
		return syncproto.Value{}, w.wrong(w.i, "something follows the value")
	}
	m := builder{walker: walker{b: b}}
	v, err := m.value()
	if err != nil {
		return syncproto.Value{}, err
	}
	return v, nil
}

// builder makes a Value from an encoding that the walker has accepted, so every length is valid. It uses the walker's
// functions for reading. Only the tests use the library that implements the whole format: it keeps tables of types that
// take time to build at the start of every process.
//
// All text of a message is a substring of one copy of its bytes: one allocation in all, and none that depends on a
// claimed length.
type builder struct {
	walker
	text string // copy of b, made on demand
}

func (m *builder) value() (v syncproto.Value, err error) {
	at := m.i
	if at == len(m.b) {
		return v, m.wrong(at, "the end stands where a value should")
	}
	c := m.b[at]
	m.i++
	switch {
	case c == mpNil:
		return v, nil
	case c == mpFalse || c == mpTrue:
		return syncproto.BoolValue(c == mpTrue), nil
	case c <= mpMaxPositive:
		return syncproto.UintValue(uint64(c)), nil
	case c >= mpFixNegative:
		return syncproto.IntValue(int64(int8(c))), nil
	case c >= mpUint8 && c <= mpUint64:
		n, err := m.number(at, 1<<(c&3))
		return syncproto.UintValue(n), err
	case c >= mpInt8 && c <= mpInt64:
		size := 1 << (c & 3)
		n, err := m.number(at, size)
		unused := 64 - 8*size
		return syncproto.IntValue(int64(n<<unused) >> unused), err
	case isLength(c, lenOfString):
		s, err := m.cut(at)
		return syncproto.StringValue(s), err
	case isLength(c, lenOfBytes):
		s, err := m.take(at, lenOfBytes, 1)
		return syncproto.BytesValue(s), err
	case isLength(c, lenOfList):
		return m.list(at)
	}
	return m.fields(at)
}

// cut returns the text whose first byte, at index at, has been read.
func (m *builder) cut(at int) (string, error) {
	s, err := m.take(at, lenOfString, 1)
	if err != nil || len(s) == 0 {
		return "", err
	}
	if m.text == "" {
		m.text = string(m.b)
	}
	return m.text[m.i-len(s) : m.i], nil
}

func (m *builder) list(at int) (syncproto.Value, error) {
	n, err := m.length(at, lenOfList, 1)
	if err != nil {
		return syncproto.Value{}, err
	}
	list := make([]syncproto.Value, n)
	for i := range list {
		if list[i], err = m.value(); err != nil {
			return syncproto.Value{}, err
		}
	}
	return syncproto.ListValue(list...), nil
}

func (m *builder) fields(at int) (syncproto.Value, error) {
	n, err := m.length(at, lenOfMap, 2)
	if err != nil {
		return syncproto.Value{}, err
	}
	fields := make([]syncproto.Field, n)
	for i := range fields {
		m.i++ // the walker has checked that a string starts here
		if fields[i].Name, err = m.cut(m.i - 1); err != nil {
			return syncproto.Value{}, err
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
