package codec

import "github.com/handfast/handfast/syncproto"

// Encode appends the encoding of *t to dst: what c.Append makes of syncproto.ToValue(*t), within l.Depth. An error leaves dst as it was.
// It is a *syncproto.BindError for what the data model has not, and a *syncproto.ProtocolError for what is over a limit.
func Encode[T any](c Codec, dst []byte, t *T, l syncproto.Limits) ([]byte, error) {
	v, err := syncproto.ToValue(*t)
	if err != nil {
		return dst, err
	}
	if err := Check(v, depthOf(l)); err != nil {
		return dst, err
	}
	return c.Append(dst, v)
}

// Decode fills t from b: what syncproto.FromValue makes of c.Decode(b, l). After an error the content of t means nothing.
// The error is a *syncproto.ProtocolError for what the codec refuses, and a *syncproto.BindError for what does not fit t.
func Decode[T any](c Codec, b []byte, t *T, l syncproto.Limits, lenient bool) error {
	return DecodeKnown(c, b, t, l, lenient, nil)
}

// DecodeKnown is Decode for a message whose texts are mostly known: known returns a text as its owner holds it, and the empty string for
// one that it does not know. What is known takes no memory. known must not keep the slice.
func DecodeKnown[T any](c Codec, b []byte, t *T, l syncproto.Limits, lenient bool, known func(text []byte) string) error {
	v, err := c.Decode(b, l)
	if err != nil {
		return err
	}
	return syncproto.FromValue(v, t, lenient)
}
