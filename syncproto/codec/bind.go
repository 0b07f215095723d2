package codec

import (
	"reflect"

	"github.com/handfast/handfast/syncproto"
)

// Encode appends the encoding of *t to dst. The result is that of c.Append(dst, v) for v from syncproto.ToValue(*t),
// within l.Depth. On an error dst is returned unchanged. The error is a *syncproto.BindError if the data model cannot
// hold *t, and a *syncproto.ProtocolError if it is over a limit.
//
// The codecs of this package make no intermediate Value, and allocate only to grow dst, except for maps.
func Encode[T any](c Codec, dst []byte, t *T, l syncproto.Limits) ([]byte, error) {
	if b, ok := encodePlanned(c, dst, reflect.TypeFor[T](), hidden(t), l); ok {
		return b, nil
	}
	v, err := syncproto.ToValue(*t)
	if err != nil {
		return dst, err
	}
	if err := Check(v, depthOf(l)); err != nil {
		return dst, err
	}
	return c.Append(dst, v)
}

// Decode fills t from b. The result is that of syncproto.FromValue for the value from c.Decode(b, l). After an error
// the content of t is undefined. The error is a *syncproto.ProtocolError if the codec refuses b, and a
// *syncproto.BindError if the value does not fit t.
//
// t shares no memory with b; its strings may all share one copy of b. What t points to is allocated on the heap, so
// keep one T to decode many values into.
func Decode[T any](c Codec, b []byte, t *T, l syncproto.Limits, lenient bool) error {
	return DecodeKnown(c, b, t, l, lenient, nil)
}

// DecodeKnown is Decode for a message whose strings are mostly known: known returns its own copy of a known string, and
// the empty string for any other. Known strings need no memory, so a message of known strings and numbers needs none at
// all. If known returns a string other than the one passed, it is ignored.
func DecodeKnown[T any](
	c Codec, b []byte, t *T, l syncproto.Limits, lenient bool, known Known,
) error {
	if decodePlanned(c, b, reflect.TypeFor[T](), hidden(t), l, known) {
		return nil
	}
	// Decoding by way of a Value reports the error, or ignores unknown fields if lenient is set.
	v, err := c.Decode(b, l)
	if err != nil {
		return err
	}
	into := new(T)
	*into = *t
	err = syncproto.FromValue(v, into, lenient)
	*t = *into
	return err
}

// hidden returns the address of *t in a way that keeps t from escaping: a plan reads and writes what is there, and
// keeps no reference after the call. So the caller's variable may stay on the stack.
func hidden[T any](t *T) ptr {
	x := uintptr(ptr(t)) // the stack cannot move before the function returns, because it calls nothing
	return *(*ptr)(ptr(&x))
}

// Known holds strings that messages consist of; syncproto.Machine is one. It must not keep the slice.
type Known interface {
	Known(text []byte) string
}

// encodePlanned is Encode for a codec and a type that a plan exists for. It tells the codecs apart by a type switch,
// because arguments of a method of an unknown codec would escape to the heap.
func encodePlanned(c Codec, dst []byte, t reflect.Type, p ptr, l syncproto.Limits) ([]byte, bool) {
	e := encoder{b: dst, left: syncproto.MaxValues - 1}
	ok := false
	switch c.(type) {
	case msgpackCodec:
		ok = e.msgpack(planOf(t), p, depthOf(l))
	case jsonCodec:
		ok = e.json(planOf(t), p, depthOf(l))
	}
	return e.b, ok
}

// decodePlanned is Decode for a codec and a type that a plan exists for. It fails on unknown fields, so lenient does
// not matter here.
func decodePlanned(c Codec, b []byte, t reflect.Type, p ptr, l syncproto.Limits, known Known) bool {
	switch c.(type) {
	case msgpackCodec:
		d := binder{known: known}
		d.b, d.left = b, syncproto.MaxValues-1
		return d.bind(planOf(t), p, depthOf(l)) && d.i == len(b)
	case jsonCodec:
		d := jsonBinder{known: known}
		d.b, d.left = b, syncproto.MaxValues
		if !d.bind(planOf(t), p, depthOf(l)) {
			return false
		}
		d.space()
		return d.i == len(b)
	}
	return false
}
