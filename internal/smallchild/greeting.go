package smallchild

import (
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
)

// CodecName is the only codec that the parent offers to a small child, and the one that the small child accepts:
// CONFIG is a value of bytes that holds a program, and everything is in MessagePack. The numbers of system calls in a
// program are those of the architecture.
const CodecName = "program." + runtime.GOARCH

// Codec returns the codec of a small child, for its parent.
func Codec() codec.Codec { return programCodec{codec.MessagePack()} }

type programCodec struct{ codec.Codec }

func (programCodec) Name() string { return CodecName }

// Append makes room for the whole program at once.
func (c programCodec) Append(dst []byte, v syncproto.Value) ([]byte, error) {
	const around = 8
	if b, ok := v.RawBytes(); ok {
		dst = slices.Grow(dst, len(b)+around)
	}
	return c.Codec.Append(dst, v)
}

// greeting holds the texts of a greeting for greet of child_*.s: what HELLO must contain, and what HELLO_ACK
// contains before and behind the process ID.
type greeting struct{ expected, before, behind string }

// boot returns the greeting for the parent that has made the child.
func boot(p *syncproto.Profile) greeting {
	g := greet(p, CodecName)
	g.expected = `"codecs":["` + CodecName + `"],` + g.expected
	return g
}

// atGate returns the greeting for the peer that opens the gate.
func atGate() greeting { return greet(container.StartProfile(), "msgpack") }

// greet returns the greeting for a profile. The limits are the defaults: no parent has lower limits, and a parent
// that had would not accept this reply.
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

// Failed is the beginning of the ERROR of a child that cannot continue. The number of the instruction follows, and
// the errno of the last system call that failed.
const Failed = "the program of the small child failed at "

// The ERROR of a child that cannot continue, before and behind the instruction and the errno, and the ERROR of a
// child that was cancelled.
const (
	failedBefore  = `{"code":"config","role":"child","nodes":[{"type":"text","text":"` + Failed
	failedBehind  = `"}]}`
	cancelledText = `{"code":"cancelled","role":"child","nodes":[{"type":"text","text":"cancelled by the parent"}]}`
)
