package codec

import (
	"reflect"

	"github.com/handfast/handfast/syncproto"
)

// Encode appends the encoding of *t to dst: what c.Append makes of syncproto.ToValue(*t), within l.Depth. An error
// leaves dst as it was. It is a *syncproto.BindError for what the data model has not, and a *syncproto.ProtocolError
// for what is over a limit.
//
// For the codecs of this package no Value is made on the way, and nothing is allocated but what dst needs to grow (maps
// excepted).
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

// Decode fills t from b: what syncproto.FromValue makes of c.Decode(b, l). After an error the content of t means
// nothing. The error is a *syncproto.ProtocolError for what the codec refuses, and a *syncproto.BindError for what does
// not fit t.
//
// t shares no memory with b. All its texts may share theirs, which is one copy of b. What t points to lies on the heap:
// who binds many values keeps one to bind into.
func Decode[T any](c Codec, b []byte, t *T, l syncproto.Limits, lenient bool) error {
	return DecodeKnown(c, b, t, l, lenient, nil)
}

// DecodeKnown is Decode for a message whose texts are mostly known: known returns a text as its owner holds it, and the
// empty string for one that it does not know. What is known takes no memory, so a message of known texts and numbers
// takes none. Where known returns another text than it was given, that is not used.
func DecodeKnown[T any](
	c Codec, b []byte, t *T, l syncproto.Limits, lenient bool, known Known,
) error {
	if decodePlanned(c, b, reflect.TypeFor[T](), hidden(t), l, known) {
		return nil
	}
	// Why not, or that the fields which t does not know may be ignored, is for the way by the Value to say.
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

// hidden is the address of *t, of which the compiler does not find that anybody keeps it: a plan reads and writes what
// is there, and nothing of it outlives the call. So the caller's variable may stay on the stack.
func hidden[T any](t *T) ptr {
	x := uintptr(ptr(t)) // no stack moves between here and the end of the function: it calls nothing
	return *(*ptr)(ptr(&x))
}

// Known holds texts that messages are made of; syncproto.Machine is one. It must not keep the slice.
type Known interface {
	Known(text []byte) string
}

// encodePlanned is Encode for a codec and a type that there is a plan for. The codecs are told apart here, and not by a
// method of theirs, for what a method of an unknown codec is given the compiler must take from the heap.
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

// decodePlanned is Decode for a codec and a type that there is a plan for. Strict or not is the same to it: it knows no
// other fields.
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
