package codec

import (
	"errors"
	"strconv"
	"sync"

	"github.com/handfast/handfast/syncproto"
)

// Codec is one encoding of the data model. Its methods may be called from several goroutines at once.
type Codec interface {
	// Name is the codec's name in HELLO: 1 to MaxName bytes, the same on both sides.
	Name() string

	// Append appends the encoding of v to dst. It refuses what Check refuses, and returns dst as it was with the error.
	Append(dst []byte, v syncproto.Value) ([]byte, error)

	// Decode reads b, all of which is one value, nested at most l.Depth deep (zero: the default) and of at most syncproto.MaxValues values. The value shares no
	// memory with b, and takes no more than a few times len(b) besides some 40 MiB at the most for the values themselves, however small these are in b.
	// An error is a *syncproto.ProtocolError: CodeLimit for what is too deep or too many, CodeDecode for anything else that is wrong with b.
	Decode(b []byte, l syncproto.Limits) (syncproto.Value, error)
}

// CallDecoder is what a codec may offer besides: to decode the body of a REQUEST or REPLY without making a Value of it. known is a name as the profile spells it, empty for one that is not
// in it. ok is false for a body that is not as it should be in every respect: then Decode says why.
type CallDecoder interface {
	DecodeCall(b []byte, l syncproto.Limits, known func(name []byte) string) (call syncproto.Call, ok bool)
}

// BuiltIn are the codecs of this package: MessagePack first, since it is the shorter one, then JSON. The slice is the caller's.
func BuiltIn() []Codec { return []Codec{MessagePack(), JSON()} }

// MaxName is the longest name of a codec in bytes.
const MaxName = 32

// Added codecs. A slice and not a map: there are one or two, and nothing has to be built when the process starts.
var added struct {
	sync.Mutex
	list []Codec
}

// ByName finds a codec that is built in or was added with Register; ok is false where there is none of that name.
func ByName(name string) (c Codec, ok bool) {
	switch name {
	case nameJSON:
		return JSON(), true
	case nameMessagePack:
		return MessagePack(), true
	}
	added.Lock()
	defer added.Unlock()
	for _, c := range added.list {
		if c.Name() == name {
			return c, true
		}
	}
	return nil, false
}

// Register adds a codec for ByName to find. Both sides of a conversation have to add it. A name that is taken, empty or too long is an error.
func Register(c Codec) error {
	if c == nil {
		return errors.New("codec: Register of nil")
	}
	name := c.Name()
	if name == "" || len(name) > MaxName {
		return errors.New("codec: name " + strconv.Quote(name) + " is not of 1 to " + strconv.Itoa(MaxName) + " bytes")
	}
	added.Lock()
	defer added.Unlock()
	taken := name == nameJSON || name == nameMessagePack
	for _, have := range added.list {
		taken = taken || have.Name() == name
	}
	if taken {
		return errors.New("codec: the name " + strconv.Quote(name) + " is taken")
	}
	added.list = append(added.list, c)
	return nil
}

// Names lists all codecs: those built in, MessagePack first since it is the shorter one, then the added ones in their order.
func Names() []string {
	added.Lock()
	defer added.Unlock()
	names := []string{nameMessagePack, nameJSON}
	for _, c := range added.list {
		names = append(names, c.Name())
	}
	return names
}
