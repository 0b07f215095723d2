package syncproto

import "strconv"

// Limits bound what a peer can make this side hold. Both sides state theirs in HELLO and HELLO_ACK, the lower of each
// pair applies to both, and senders check them before they send. Sizes are bytes of payload. Zero fields mean the
// default.
type Limits struct {
	Control uint32 `sync:"control,omitempty"` // HELLO, HELLO_ACK, CONFIG_OK, NOTE, EXEC, CANCEL; default 4 KiB
	Error   uint32 `sync:"error,omitempty"`   // ERROR; default 32 KiB
	// one fragment of CONFIG; default 32 KiB, which fits a packet of any socket buffer
	Fragment uint32 `sync:"fragment,omitempty"`
	Message  uint32 `sync:"message,omitempty"` // REQUEST, REPLY; default 64 KiB
	Config   uint32 `sync:"config,omitempty"`  // all fragments of CONFIG together; default 4 MiB, never above 64 MiB
	Notes    uint16 `sync:"notes,omitempty"`   // NOTE frames in a conversation; default 256
	Frames   uint16 `sync:"frames,omitempty"`  // frames of one side in a conversation; default 4096
	Depth    uint8  `sync:"depth,omitempty"`   // nesting of lists and maps; default 32
}

// Bounds that are not negotiable.
const (
	MaxConfig = 64 << 20
	MaxFrame  = 64 << 10 // payload of any one frame: it fits a packet of any socket buffer
	MaxFDs    = 253      // SCM_MAX_FD, <net/scm.h>
)

// DefaultLimits returns the limits that a zero Limits stands for.
func DefaultLimits() Limits {
	return Limits{Control: 4 << 10, Error: 32 << 10, Fragment: 32 << 10, Message: 64 << 10, Config: 4 << 20, Notes: 256,
		Frames: 4096, Depth: 32}
}

// floorLimits returns the lowest allowed value of each limit. Below it HELLO or an error report could not be sent at
// all.
func floorLimits() Limits {
	return Limits{Control: 1 << 10, Error: 1 << 10, Fragment: 1 << 10, Message: 1 << 10, Config: 1 << 10, Notes: 1,
		Frames: 16, Depth: 4}
}

// WithDefaults returns l with every zero field set to its default.
func (l Limits) WithDefaults() Limits {
	d := DefaultLimits()
	return Limits{
		Control: min(orDefault(l.Control, d.Control), MaxFrame), Error: min(orDefault(l.Error, d.Error), MaxFrame),
		Fragment: min(orDefault(l.Fragment, d.Fragment), MaxFrame), Message: min(orDefault(l.Message, d.Message), MaxFrame),
		Config: min(orDefault(l.Config, d.Config), MaxConfig), Notes: orDefault(l.Notes, d.Notes),
		Frames: orDefault(l.Frames, d.Frames),
		Depth:  orDefault(l.Depth, d.Depth),
	}
}

// Meet returns the lower of each pair of limits, which is what both sides keep to.
func (l Limits) Meet(m Limits) Limits {
	l, m = l.WithDefaults(), m.WithDefaults()
	return Limits{
		Control: min(l.Control, m.Control), Error: min(l.Error, m.Error), Fragment: min(l.Fragment, m.Fragment),
		Message: min(l.Message, m.Message),
		Config:  min(l.Config, m.Config), Notes: min(l.Notes, m.Notes), Frames: min(l.Frames, m.Frames),
		Depth: min(l.Depth, m.Depth),
	}
}

// Validate refuses limits that are too low for any conversation.
func (l Limits) Validate() error {
	f := floorLimits()
	l = l.WithDefaults()
	for _, c := range [...]struct {
		name      string
		got, want uint32
	}{
		{"control", l.Control, f.Control}, {"error", l.Error, f.Error}, {"fragment", l.Fragment, f.Fragment},
		{"message", l.Message, f.Message},
		{"config", l.Config, f.Config}, {"notes", uint32(l.Notes), uint32(f.Notes)},
		{"frames", uint32(l.Frames), uint32(f.Frames)}, {"depth", uint32(l.Depth), uint32(f.Depth)},
	} {
		if c.got < c.want {
			return &ProtocolError{Code: CodeLimit, Text: "limit " + c.name + " of " + utoa(c.got) + " is below the least, " +
				utoa(c.want)}
		}
	}
	return nil
}

// Payload returns the maximum payload of a frame of kind k in bytes.
func (l Limits) Payload(k Kind) uint32 {
	switch k {
	case KindConfig:
		return l.Fragment
	case KindRequest, KindReply:
		return l.Message
	case KindError:
		return l.Error
	}
	return l.Control
}

// Check refuses a frame whose payload is over its limit. It is called before any of the payload is read or sent.
func (l Limits) Check(h Header) error {
	if most := l.Payload(h.Kind); h.Length > most {
		return &ProtocolError{Code: CodeLimit, Text: h.Kind.String() + " of " + utoa(h.Length) +
			" bytes is over its limit of " + utoa(most)}
	}
	return nil
}

func orDefault[T uint8 | uint16 | uint32](a, b T) T {
	if a == 0 {
		return b
	}
	return a
}

func utoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
