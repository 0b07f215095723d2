package codec

import "github.com/handfast/handfast/syncproto"

// Codec is one encoding of the data model. Its methods may be called from several goroutines at once.
type Codec interface {
	// Name is the codec's name in HELLO: 1 to MaxName bytes, the same on both sides.
	Name() string

	// Append appends the encoding of v to dst. It refuses what Check refuses, and returns dst as it was with the error.
	Append(dst []byte, v syncproto.Value) ([]byte, error)

	// Decode reads b, all of which is one value, nested at most l.Depth deep (zero: the default) and of at most
	// syncproto.MaxValues values. The value shares no memory with b, and takes no more than a few times len(b) besides
	// some 40 MiB at the most for the values themselves, however small these are in b. An error is a
	// *syncproto.ProtocolError: CodeLimit for what is too deep or too many, CodeDecode for anything else that is wrong
	// with b.
	Decode(b []byte, l syncproto.Limits) (syncproto.Value, error)
}

// BuiltIn are the codecs of this package: MessagePack first, since it is the shorter one, then JSON. The slice is the
// caller's.
func BuiltIn() []Codec { return []Codec{MessagePack(), JSON()} }

// Find is the codec among codecs that has the name; ok is false where none has.
func Find(codecs []Codec, name string) (c Codec, ok bool) {
	for _, c := range codecs {
		if c.Name() == name {
			return c, true
		}
	}
	return nil, false
}

// MaxName is the longest name of a codec in bytes.
const MaxName = 32
