package systemd

import (
	"encoding/binary"
	"strings"
)

// message is a D-Bus message (D-Bus Specification, "Message Format").
type message struct {
	kind    byte
	flags   byte
	serial  uint32
	replyTo uint32 // of a reply or an error: the serial of the call

	path, iface, member, errorName, destination, sender string

	body []Value
}

// The kinds of messages.
const (
	methodCall   = 1
	methodReturn = 2
	errorReply   = 3
	signalKind   = 4
)

// The codes of header fields.
const (
	fieldPath        = 1
	fieldInterface   = 2
	fieldMember      = 3
	fieldError       = 4
	fieldReply       = 5
	fieldDestination = 6
	fieldSender      = 7
	fieldSignature   = 8
)

// fixed is the size of the part of the header that says how long the message is: byte order, kind, flags, version, the
// body's length, the serial, the length of the fields.
const fixed = 16

// maxMessage is the longest message that is read. The specification allows 128 MiB; no reply that is expected here
// comes close to this.
const maxMessage = 1 << 20

// encode returns the message in its wire format, little-endian.
func (m *message) encode() []byte {
	body, sig := encoder{}, ""
	for _, v := range m.body {
		body.value(v)
		sig += v.kind
	}
	var fields []Value
	add := func(code byte, v Value) {
		fields = append(fields, tuple(Value{kind: "y", n: uint64(code)}, variant(v)))
	}
	if m.path != "" {
		add(fieldPath, object(m.path))
	}
	for _, f := range [...]struct {
		code byte
		text string
	}{{fieldInterface, m.iface}, {fieldMember, m.member}, {fieldError, m.errorName}, {fieldDestination, m.destination},
		{fieldSender, m.sender}} {
		if f.text != "" {
			add(f.code, text(f.text))
		}
	}
	if m.replyTo != 0 {
		add(fieldReply, uint32v(m.replyTo))
	}
	if sig != "" {
		add(fieldSignature, Value{kind: "g", text: sig})
	}
	e := encoder{b: []byte{'l', m.kind, m.flags, 1}}
	e.uint32(uint32(len(body.b)))
	e.uint32(m.serial)
	e.array(array("(yv)", fields...))
	e.align(8)
	return append(e.b, body.b...)
}

// messageLength returns the length of the message that begins with these bytes.
func messageLength(b []byte) (int, error) {
	order, err := byteOrder(b)
	if err != nil {
		return 0, err
	}
	body, fields := uint64(order.Uint32(b[4:])), uint64(order.Uint32(b[12:]))
	n := fixed + (fields+7)&^7 + body
	if n > maxMessage {
		return 0, malformed("%d bytes; at most %d are accepted", n, maxMessage)
	}
	return int(n), nil
}

func byteOrder(b []byte) (binary.ByteOrder, error) {
	if len(b) < fixed {
		return nil, malformed("%d bytes are too short for a header", len(b))
	}
	if b[3] != 1 {
		return nil, malformed("version %d of the protocol; want 1", b[3])
	}
	switch b[0] {
	case 'l':
		return binary.LittleEndian, nil
	case 'B':
		return binary.BigEndian, nil
	}
	return nil, malformed("byte order %q; want l or B", b[0])
}

// decodeMessage decodes a whole message. The result shares no memory with b.
func decodeMessage(b []byte) (*message, error) {
	n, err := messageLength(b)
	if err != nil {
		return nil, err
	}
	if n != len(b) {
		return nil, malformed("%d bytes; its header says %d", len(b), n)
	}
	order, _ := byteOrder(b)
	m := &message{kind: b[1], flags: b[2], serial: order.Uint32(b[8:])}
	if m.kind == 0 || m.serial == 0 {
		return nil, malformed("kind %d, serial %d: neither may be 0", m.kind, m.serial)
	}
	d := &decoder{b: b, at: 12, order: order}
	fields, err := d.array("(yv)", 0)
	if err != nil {
		return nil, err
	}
	sig, err := m.fields(fields)
	if err != nil {
		return nil, err
	}
	if err := d.align(8); err != nil {
		return nil, err
	}
	// Alignment counts from the beginning of the message, and the header's length is a multiple of 8, so the body can be
	// decoded by itself.
	for sig != "" {
		var one string
		if one, sig, err = oneType(sig); err != nil {
			return nil, err
		}
		v, err := d.value(one, 0)
		if err != nil {
			return nil, err
		}
		m.body = append(m.body, v)
	}
	if d.at != len(b) {
		return nil, malformed("%d bytes after the body", len(b)-d.at)
	}
	return m, nil
}

// fields decodes the header's fields. It ignores an unknown one, as the specification requires; a known one must have
// the right type.
func (m *message) fields(all []Value) (sig string, err error) {
	for _, f := range all {
		v := f.items[1].items[0]
		var into *string
		want := "s"
		switch f.items[0].n {
		case fieldPath:
			into, want = &m.path, "o"
		case fieldInterface:
			into = &m.iface
		case fieldMember:
			into = &m.member
		case fieldError:
			into = &m.errorName
		case fieldDestination:
			into = &m.destination
		case fieldSender:
			into = &m.sender
		case fieldSignature:
			into, want = &sig, "g"
		case fieldReply:
			if v.kind != "u" {
				return "", malformed("the reply serial has the type %q", v.kind)
			}
			m.replyTo = uint32(v.n)
			continue
		default:
			continue
		}
		if v.kind != want {
			return "", malformed("header field %d has the type %q; want %q", f.items[0].n, v.kind, want)
		}
		*into = v.text
	}
	return sig, nil
}

// bodyIs reports whether the body's values have these types.
func (m *message) bodyIs(kinds ...string) bool {
	var have strings.Builder
	for _, v := range m.body {
		have.WriteString(v.kind)
	}
	return have.String() == strings.Join(kinds, "")
}
