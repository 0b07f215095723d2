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

// builder makes a Value of an encoding that the walker let pass, so every length is of something that is there. It
// reads with the walker's own functions, and the library that knows the whole format is the tests' alone: it keeps
// tables of types that take time to build in every process that starts.
//
// All text of a message is cut from one copy of its bytes: one allocation for all of it, and none that grows with a
// length.
type builder struct {
	walker
	text string // b, made where there is text
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

// cut is the text whose first byte, at at, is behind.
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
		m.i++ // the walk has seen that a string starts here
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
