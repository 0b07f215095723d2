package criu

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrMessage says that a packet is not the message that it should be.
var ErrMessage = errors.New("malformed message of CRIU")

// The wire types that rpc.proto has use for; decode skips fields of the two with a fixed size.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// field is a row of a message's table.
type field[T any] struct {
	number int
	name   string // as in rpc.proto
	kind[T]
}

// kind says how the value of a field is read and written.
type kind[T any] struct {
	wire int
	// put appends every value of the field, each with its key.
	put func(b []byte, number int, v *T) []byte
	// get takes a value: that of a varint, or the bytes of anything else.
	get func(v *T, n uint64, data []byte) error
	// show returns the field's values as text.
	show func(v *T) []string
}

// table lists the fields of one message. The order is that in which they are written.
type table[T any] []field[T]

// encode appends the message.
func (t table[T]) encode(b []byte, v *T) []byte {
	for i := range t {
		b = t[i].put(b, t[i].number, v)
	}
	return b
}

// decode reads a message into v, and skips fields that the table does not list. Of a field that occurs more than once
// without being a list, the last value counts.
func (t table[T]) decode(data []byte, v *T) error {
	for len(data) > 0 {
		key, rest, ok := varint(data)
		if !ok || key>>3 == 0 || key>>3 > maxNumber {
			return fmt.Errorf("%w: no field number at byte %d from the end", ErrMessage, len(data))
		}
		number, wire := int(key>>3), int(key&7)
		n, value, rest, ok := take(wire, rest)
		if !ok {
			return fmt.Errorf("%w: field %d: cut off, or of wire type %d", ErrMessage, number, wire)
		}
		data = rest
		f := t.find(number)
		if f == nil {
			continue
		}
		if f.wire != wire {
			return fmt.Errorf("%w: %s: wire type %d; want %d", ErrMessage, f.name, wire, f.wire)
		}
		if err := f.get(v, n, value); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// maxNumber is the highest number that a field can have.
const maxNumber = 1<<29 - 1

func (t table[T]) find(number int) *field[T] {
	for i := range t {
		if t[i].number == number {
			return &t[i]
		}
	}
	return nil
}

// lines returns one line "name: value" for each value of the message.
func (t table[T]) lines(v *T) []string {
	var all []string
	for i := range t {
		for _, s := range t[i].show(v) {
			all = append(all, t[i].name+": "+s)
		}
	}
	return all
}

// varint splits a varint off, of at most ten bytes.
func varint(data []byte) (n uint64, rest []byte, ok bool) {
	for i, b := range data {
		if i == 9 && b > 1 { // the tenth byte has one bit
			return 0, nil, false
		}
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return n, data[i+1:], true
		}
	}
	return 0, nil, false
}

// take splits the value of a field off. Groups, which are long obsolete, are not accepted.
func take(wire int, data []byte) (n uint64, value, rest []byte, ok bool) {
	size := uint64(0)
	switch wire {
	case wireVarint:
		n, rest, ok = varint(data)
		return n, nil, rest, ok
	case wireFixed64:
		size = 8
	case wireFixed32:
		size = 4
	case wireBytes:
		if size, data, ok = varint(data); !ok {
			return 0, nil, nil, false
		}
	default:
		return 0, nil, nil, false
	}
	if size > uint64(len(data)) {
		return 0, nil, nil, false
	}
	return 0, data[:size], data[size:], true
}

func putVarint(b []byte, n uint64) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func putKey(b []byte, number, wire int) []byte { return putVarint(b, uint64(number)<<3|uint64(wire)) }

func putBytes(b []byte, number int, data []byte) []byte {
	b = putVarint(putKey(b, number, wireBytes), uint64(len(data)))
	return append(b, data...)
}

// whole are the types of numbers. A negative one is written as the 64-bit number of the same value; of a larger one
// that is read the lower bits count, as in every implementation of protocol buffers.
type whole interface{ ~int32 | ~uint32 }

// number is a varint that is left out when it is zero.
func number[T any, N whole](at func(*T) *N) kind[T] {
	return unless(required(at), func(v *T) bool { return *at(v) == 0 })
}

// unless leaves a field out of messages for which absent is true.
func unless[T any](k kind[T], absent func(*T) bool) kind[T] {
	put, show := k.put, k.show
	k.put = func(b []byte, num int, v *T) []byte {
		if absent(v) {
			return b
		}
		return put(b, num, v)
	}
	k.show = func(v *T) []string {
		if absent(v) {
			return nil
		}
		return show(v)
	}
	return k
}

// required is a varint that is always written.
func required[T any, N whole](at func(*T) *N) kind[T] {
	return kind[T]{
		wire: wireVarint,
		put: func(b []byte, num int, v *T) []byte {
			return putVarint(putKey(b, num, wireVarint), uint64(int64(*at(v))))
		},
		get:  func(v *T, n uint64, _ []byte) error { *at(v) = N(n); return nil },
		show: func(v *T) []string { return []string{fmt.Sprint(*at(v))} },
	}
}

// optional is a varint that is left out when there is none, and not when it is zero.
func optional[T any, N whole](at func(*T) **N) kind[T] {
	k := kind[T]{
		wire: wireVarint,
		put: func(b []byte, num int, v *T) []byte {
			return putVarint(putKey(b, num, wireVarint), uint64(int64(**at(v))))
		},
		get:  func(v *T, n uint64, _ []byte) error { *at(v) = new(N(n)); return nil },
		show: func(v *T) []string { return []string{fmt.Sprint(**at(v))} },
	}
	return unless(k, func(v *T) bool { return *at(v) == nil })
}

// flag is a bool that is left out when it is false.
func flag[T any](at func(*T) *bool) kind[T] {
	return kind[T]{
		wire: wireVarint,
		put: func(b []byte, num int, v *T) []byte {
			if !*at(v) {
				return b
			}
			return append(putKey(b, num, wireVarint), 1)
		},
		get: func(v *T, n uint64, _ []byte) error { *at(v) = n != 0; return nil },
		show: func(v *T) []string {
			if !*at(v) {
				return nil
			}
			return []string{"true"}
		},
	}
}

// text is a string that is left out when it is empty.
func text[T any](at func(*T) *string) kind[T] {
	return unless(requiredText(at), func(v *T) bool { return *at(v) == "" })
}

// requiredText is a string that is always written.
func requiredText[T any](at func(*T) *string) kind[T] {
	return kind[T]{
		wire: wireBytes,
		put:  func(b []byte, num int, v *T) []byte { return putBytes(b, num, []byte(*at(v))) },
		get:  func(v *T, _ uint64, data []byte) error { *at(v) = string(data); return nil },
		show: func(v *T) []string { return []string{strconv.Quote(*at(v))} },
	}
}

// texts is a list of strings.
func texts[T any](at func(*T) *[]string) kind[T] {
	return kind[T]{
		wire: wireBytes,
		put: func(b []byte, num int, v *T) []byte {
			for _, s := range *at(v) {
				b = putBytes(b, num, []byte(s))
			}
			return b
		},
		get: func(v *T, _ uint64, data []byte) error { *at(v) = append(*at(v), string(data)); return nil },
		show: func(v *T) (all []string) {
			for _, s := range *at(v) {
				all = append(all, strconv.Quote(s))
			}
			return all
		},
	}
}

// message is a message inside another; nil: none.
func message[T, M any](of table[M], at func(*T) **M) kind[T] {
	k := kind[T]{
		wire: wireBytes,
		put:  func(b []byte, num int, v *T) []byte { return putBytes(b, num, of.encode(nil, *at(v))) },
		get: func(v *T, _ uint64, data []byte) error {
			if *at(v) == nil {
				*at(v) = new(M)
			}
			return of.decode(data, *at(v)) // a second one is merged into the first
		},
		show: func(v *T) []string { return []string{strings.Join(of.lines(*at(v)), ", ")} },
	}
	return unless(k, func(v *T) bool { return *at(v) == nil })
}

// messages is a list of messages.
func messages[T, M any](of table[M], at func(*T) *[]M) kind[T] {
	return kind[T]{
		wire: wireBytes,
		put: func(b []byte, num int, v *T) []byte {
			for i := range *at(v) {
				b = putBytes(b, num, of.encode(nil, &(*at(v))[i]))
			}
			return b
		},
		get: func(v *T, _ uint64, data []byte) error {
			var m M
			err := of.decode(data, &m)
			*at(v) = append(*at(v), m)
			return err
		},
		show: func(v *T) (all []string) {
			for i := range *at(v) {
				all = append(all, strings.Join(of.lines(&(*at(v))[i]), ", "))
			}
			return all
		},
	}
}
