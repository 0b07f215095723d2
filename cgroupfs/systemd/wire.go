package systemd

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// encoder writes values as D-Bus marshals them, little-endian (D-Bus Specification, "Marshaling"). Offsets count from
// the beginning of b.
type encoder struct{ b []byte }

func (e *encoder) align(n int) {
	for len(e.b)%n != 0 {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) uint32(n uint32) {
	e.align(4)
	e.b = binary.LittleEndian.AppendUint32(e.b, n)
}

func (e *encoder) value(v Value) {
	e.align(alignment(v.kind[0]))
	switch v.kind[0] {
	case 'y':
		e.b = append(e.b, byte(v.n))
	case 'n', 'q':
		e.b = binary.LittleEndian.AppendUint16(e.b, uint16(v.n))
	case 'b', 'i', 'u':
		e.uint32(uint32(v.n))
	case 'x', 't', 'd':
		e.b = binary.LittleEndian.AppendUint64(e.b, v.n)
	case 's', 'o':
		e.uint32(uint32(len(v.text)))
		e.b = append(append(e.b, v.text...), 0)
	case 'g':
		e.signature(v.text)
	case 'v':
		e.signature(v.items[0].kind)
		e.value(v.items[0])
	case 'a':
		e.array(v)
	default: // a structure, or an entry
		for _, item := range v.items {
			e.value(item)
		}
	}
}

func (e *encoder) signature(s string) {
	e.b = append(append(append(e.b, byte(len(s))), s...), 0)
}

// array writes the length before the padding of the first element, which it does not include.
func (e *encoder) array(v Value) {
	e.uint32(0)
	at := len(e.b)
	e.align(alignment(v.kind[1]))
	start := len(e.b)
	for _, item := range v.items {
		e.value(item)
	}
	binary.LittleEndian.PutUint32(e.b[at-4:], uint32(len(e.b)-start))
}

// decoder reads values. It does not trust its input: it checks every length against the remaining bytes, and every
// nesting against its limit.
type decoder struct {
	b     []byte
	at    int
	order binary.ByteOrder
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("D-Bus message: %s: %w", fmt.Sprintf(format, args...), unix.EBADMSG)
}

// take returns the next n bytes.
func (d *decoder) take(n int) ([]byte, error) {
	if n < 0 || n > len(d.b)-d.at {
		return nil, malformed("%d bytes are needed at %d of %d", n, d.at, len(d.b))
	}
	b := d.b[d.at : d.at+n]
	d.at += n
	return b, nil
}

func (d *decoder) align(n int) error {
	pad, err := d.take((n - d.at%n) % n)
	for _, c := range pad {
		if c != 0 {
			return malformed("padding before %d is not zero", d.at)
		}
	}
	return err
}

func (d *decoder) uint32() (uint32, error) {
	if err := d.align(4); err != nil {
		return 0, err
	}
	b, err := d.take(4)
	if err != nil {
		return 0, err
	}
	return d.order.Uint32(b), nil
}

// value reads one value of a type, which must be valid.
func (d *decoder) value(kind string, depth int) (Value, error) {
	v := Value{kind: kind}
	if depth > 2*maxNesting {
		return v, malformed("values are nested more than %d deep", 2*maxNesting)
	}
	if err := d.align(alignment(kind[0])); err != nil {
		return v, err
	}
	var err error
	switch kind[0] {
	case 'y', 'n', 'q', 'b', 'i', 'u', 'x', 't', 'd':
		v.n, err = d.number(kind[0])
	case 's', 'o':
		v.text, err = d.string()
	case 'g':
		v.text, err = d.signature()
	case 'v':
		v.items, err = d.variant(depth)
	case 'a':
		v.items, err = d.array(kind[1:], depth)
	default:
		v.items, err = d.members(kind, depth)
	}
	return v, err
}

func (d *decoder) number(kind byte) (uint64, error) {
	b, err := d.take(alignment(kind))
	if err != nil {
		return 0, err
	}
	switch kind {
	case 'y':
		return uint64(b[0]), nil
	case 'n':
		return uint64(int64(int16(d.order.Uint16(b)))), nil
	case 'q':
		return uint64(d.order.Uint16(b)), nil
	case 'i':
		return uint64(int64(int32(d.order.Uint32(b)))), nil
	case 'u', 'b':
		n := d.order.Uint32(b)
		if kind == 'b' && n > 1 {
			return 0, malformed("a boolean is %d", n)
		}
		return uint64(n), nil
	}
	return d.order.Uint64(b), nil
}

func (d *decoder) string() (string, error) {
	n, err := d.uint32()
	if err != nil {
		return "", err
	}
	return d.terminated(int64(n))
}

func (d *decoder) terminated(n int64) (string, error) {
	if n >= int64(len(d.b)) {
		return "", malformed("a string of %d bytes in a message of %d", n, len(d.b))
	}
	b, err := d.take(int(n) + 1)
	if err != nil {
		return "", err
	}
	s := string(b[:n])
	if b[n] != 0 || strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		return "", malformed("a string is not UTF-8 with one zero byte at its end")
	}
	return s, nil
}

// signature reads any number of complete types.
func (d *decoder) signature() (string, error) {
	b, err := d.take(1)
	if err != nil {
		return "", err
	}
	s, err := d.terminated(int64(b[0]))
	for rest := s; rest != "" && err == nil; {
		_, rest, err = oneType(rest)
	}
	return s, err
}

func (d *decoder) variant(depth int) ([]Value, error) {
	s, err := d.signature()
	if err != nil {
		return nil, err
	}
	one, rest, err := oneType(s)
	if err != nil || rest != "" {
		return nil, malformed("a variant of the signature %q, which is not one type", s)
	}
	v, err := d.value(one, depth+1)
	return []Value{v}, err
}

func (d *decoder) array(of string, depth int) ([]Value, error) {
	n, err := d.uint32()
	if err != nil {
		return nil, err
	}
	if err := d.align(alignment(of[0])); err != nil {
		return nil, err
	}
	if int64(n) > int64(len(d.b)-d.at) {
		return nil, malformed("an array of %d bytes at %d of %d", n, d.at, len(d.b))
	}
	var items []Value
	for end := d.at + int(n); d.at < end; {
		v, err := d.value(of, depth+1)
		if err != nil {
			return nil, err
		}
		if d.at > end {
			return nil, malformed("an element reaches beyond its array")
		}
		items = append(items, v)
	}
	return items, nil
}

func (d *decoder) members(kind string, depth int) ([]Value, error) {
	kinds, err := members(kind)
	if err != nil {
		return nil, err
	}
	var items []Value
	for _, k := range kinds {
		v, err := d.value(k, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	return items, nil
}
