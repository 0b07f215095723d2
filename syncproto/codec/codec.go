package codec

import "github.com/handfast/handfast/syncproto"

// Codec is one encoding of the data model. Its methods may be called from several goroutines at once.
type Codec interface {
	// Name is the codec's name in HELLO: 1 to MaxName bytes, the same on both sides.
	Name() string

	// Append appends the encoding of v to dst. If Check refuses v, it returns the unchanged dst and the error.
	Append(dst []byte, v syncproto.Value) ([]byte, error)

	// Decode decodes b, all of which must be one value, nested at most l.Depth deep (zero: the default) and consisting of
	// at most syncproto.MaxValues values. The result shares no memory with b. It takes no more than a few times len(b),
	// plus at most 40 MiB for the values themselves, however small these are in b. An error is a *syncproto.ProtocolError:
	// CodeLimit if b is too deep or has too many values, CodeDecode for anything else.
	Decode(b []byte, l syncproto.Limits) (syncproto.Value, error)
}

// BuiltIn returns the codecs of this package: MessagePack first, since it is shorter, then JSON. The slice belongs to
// the caller.
func BuiltIn() []Codec { return []Codec{MessagePack(), JSON()} }

// Find returns the codec with the given name; ok is false if there is none.
func Find(codecs []Codec, name string) (c Codec, ok bool) {
	for _, c := range codecs {
		if c.Name() == name {
			return c, true
		}
	}
	return nil, false
}

// MaxName is the maximum length of a codec's name in bytes.
const MaxName = 32
