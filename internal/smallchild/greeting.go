package smallchild

import (
	"slices"
	"strconv"
	"strings"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
)

// CodecName is what the parent offers, alone, to a small child, and what that one takes: CONFIG is a text of bytes that
// holds a program, and everything is in MessagePack.
const CodecName = "program.amd64"

// Codec is the codec of a small child, for its parent.
func Codec() codec.Codec { return programCodec{codec.MessagePack()} }

type programCodec struct{ codec.Codec }

func (programCodec) Name() string { return CodecName }

// Append makes room for a program at once.
func (c programCodec) Append(dst []byte, v syncproto.Value) ([]byte, error) {
	const around = 8
	if b, ok := v.RawBytes(); ok {
		dst = slices.Grow(dst, len(b)+around)
	}
	return c.Codec.Append(dst, v)
}

// greeting are the texts of a greeting, as greet of child_amd64.s wants them: what HELLO must hold, and HELLO_ACK
// before and behind the process's number.
type greeting struct{ expected, before, behind string }

// boot is the greeting of the parent that has made the child.
func boot(p *syncproto.Profile) greeting {
	g := greet(p, CodecName)
	g.expected = `"codecs":["` + CodecName + `"],` + g.expected
	return g
}

// atGate is the greeting of who opens the gate.
func atGate() greeting { return greet(container.StartProfile(), "msgpack") }

// greet is a greeting in a profile. The limits are the defaults: a parent has no lower ones, and one that had would not
// take this reply for an agreement.
func greet(p *syncproto.Profile, codecName string) greeting {
	const pid = 1
	// The message has no part that cannot be encoded.
	ack, _ := codec.Encode(codec.JSON(), nil, &syncproto.HelloAck{
		Version: syncproto.Version, Codec: codecName, Limits: syncproto.DefaultLimits(), PID: pid,
	}, syncproto.Limits{})
	before, behind, _ := strings.Cut(string(ack), `"pid":`+strconv.Itoa(pid))
	hash := strconv.FormatUint(p.Hash(), 16)
	hash = strings.Repeat("0", 16-len(hash)) + hash
	return greeting{`"profile":"` + p.Name + `","hash":"` + hash + `"`, before + `"pid":`, behind}
}

// Failed is what the ERROR of a child that cannot go on begins with; the number of the instruction follows, and the
// errno of the last call that failed.
const Failed = "the program of the small child failed at "

// The ERROR of a child that cannot go on, before and behind the instruction and the errno, and that of one that was
// cancelled.
const (
	failedBefore  = `{"code":"config","role":"child","nodes":[{"type":"text","text":"` + Failed
	failedBehind  = `"}]}`
	cancelledText = `{"code":"cancelled","role":"child","nodes":[{"type":"text","text":"cancelled by the parent"}]}`
)
