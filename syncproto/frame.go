package syncproto

import "strconv"

// Kind is the type of a frame.
type Kind uint8

// The kinds of frames. Their numbers are part of the wire format and are never reused.
const (
	KindHello    Kind = 1  // parent: versions, codecs, profile, limits; always JSON
	KindHelloAck Kind = 2  // child: its choices; always JSON
	KindConfig   Kind = 3  // parent: the configuration, in fragments
	KindConfigOK Kind = 4  // child: the configuration arrived complete
	KindRequest  Kind = 5  // the phase's requester: a request by name
	KindReply    Kind = 6  // the other side: its reply
	KindNote     Kind = 7  // child: a line for the log
	KindError    Kind = 8  // both: what went wrong
	KindExec     Kind = 9  // child: about to execute; end of file comes next
	KindCancel   Kind = 10 // parent: the child must stop
)

var kindNames = [...]string{
	1: "HELLO", 2: "HELLO_ACK", 3: "CONFIG", 4: "CONFIG_OK", 5: "REQUEST",
	6: "REPLY", 7: "NOTE", 8: "ERROR", 9: "EXEC", 10: "CANCEL",
}

// String returns the kind's name in docs/protocol.md.
func (k Kind) String() string {
	if k.known() {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

func (k Kind) known() bool { return k >= KindHello && k <= KindCancel }

// Flags of a frame. Unassigned bits must be zero.
const (
	FlagMore      = 1 << 0 // the message continues in the next frame; CONFIG only
	FlagSkippable = 1 << 1 // a receiver that does not know the kind drops the frame instead of failing

	flagsKnown = FlagMore | FlagSkippable
)

// HeaderSize is the length of a frame's header in bytes.
const HeaderSize = 16

// Version is the version of the framing, the third byte of every frame.
const Version = 1

// Header precedes a frame's payload:
//
//	 0       1       2       3       4       5       6       7
//	+-------+-------+-------+-------+-------+-------+-------+-------+
//	|  'S'  |  'Y'  |version| kind  | flags | nfds  |      seq      |
//	+-------+-------+-------+-------+-------+-------+-------+-------+
//	|      re       |   reserved    |            length             |
//	+-------+-------+-------+-------+-------+-------+-------+-------+
//
// Numbers are big-endian. Length counts the payload only.
type Header struct {
	Kind   Kind
	Flags  uint8
	NFDs   uint8  // descriptors sent in the same sendmsg(2) as the frame's first byte
	Seq    uint16 // counts each side's frames from one; never wraps
	Re     uint16 // the Seq of the peer's frame that this one replies to; zero: none
	Length uint32
}

// More reports whether the message continues in the next frame.
func (h Header) More() bool { return h.Flags&FlagMore != 0 }

// Append appends the header's HeaderSize bytes to b.
func (h Header) Append(b []byte) []byte {
	return append(b, 'S', 'Y', Version, byte(h.Kind), h.Flags, h.NFDs,
		byte(h.Seq>>8), byte(h.Seq), byte(h.Re>>8), byte(h.Re), 0, 0,
		byte(h.Length>>24), byte(h.Length>>16), byte(h.Length>>8), byte(h.Length))
}

// ParseHeader reads the header at the start of b. An error is a *ProtocolError: CodeForeign if the magic is wrong (the
// error quotes the bytes, which tell what other program wrote them), CodeVersion for another framing, CodeFrame for
// anything else that no correct peer sends. Fewer than HeaderSize bytes are CodeFrame too. ParseHeader does not judge
// lengths; Limits.Check does.
func ParseHeader(b []byte) (Header, error) {
	if n := min(len(b), 2); string(b[:n]) != "SY"[:n] {
		return Header{}, foreignError(b)
	}
	if len(b) < HeaderSize {
		return Header{}, &ProtocolError{Code: CodeFrame, Text: "frame of " + strconv.Itoa(len(b)) +
			" bytes is shorter than its header of " + strconv.Itoa(HeaderSize)}
	}
	if b[2] != Version {
		return Header{}, &ProtocolError{Code: CodeVersion, Text: "framing version " + strconv.Itoa(int(b[2])) + " is not " +
			strconv.Itoa(Version)}
	}
	h := Header{
		Kind: Kind(b[3]), Flags: b[4], NFDs: b[5],
		Seq:    uint16(b[6])<<8 | uint16(b[7]),
		Re:     uint16(b[8])<<8 | uint16(b[9]),
		Length: uint32(b[12])<<24 | uint32(b[13])<<16 | uint32(b[14])<<8 | uint32(b[15]),
	}
	return h, h.check(b[10] | b[11])
}

// check refuses a header that no correct sender makes, whatever the state of the conversation.
func (h Header) check(reserved byte) error {
	why := ""
	switch {
	case h.Kind == 0 || !h.Kind.known() && h.Flags&FlagSkippable == 0:
		why = "unknown kind " + strconv.Itoa(int(h.Kind))
	case h.Flags&^flagsKnown != 0:
		why = "unknown flags 0x" + strconv.FormatUint(uint64(h.Flags), 16)
	case h.More() && h.Kind != KindConfig:
		why = h.Kind.String() + " may not be cut into fragments"
	case reserved != 0:
		why = "reserved bytes are not zero"
	case h.Seq == 0:
		why = "sequence number is zero"
	default:
		return nil
	}
	return &ProtocolError{Code: CodeFrame, Text: why}
}

// foreignError is the error for bytes that are not a frame. It quotes at most 64 of them.
func foreignError(b []byte) error {
	seen := b[:min(len(b), 64)]
	return &ProtocolError{Code: CodeForeign, Text: "not a handfast peer: it sent " + strconv.QuoteToASCII(string(seen))}
}
