package syncproto

import "strconv"

// Hello is the parent's greeting, the body of HELLO.
type Hello struct {
	MinVersion int `sync:"min"` // the lowest version that the parent speaks
	MaxVersion int `sync:"max"` // and the highest
	// in order of preference; if there is only one, CONFIG may follow without waiting
	Codecs  []string `sync:"codecs"`
	Profile string   `sync:"profile"`           // its name
	Hash    string   `sync:"hash"`              // of the whole profile, before it is narrowed, in 16 hexadecimal digits
	Limits  Limits   `sync:"limits"`            // the parent's own
	Session string   `sync:"session,omitempty"` // an identifier for logs, the parent's choice
}

// HelloAck is the child's choice, the body of HELLO_ACK.
type HelloAck struct {
	Version int    `sync:"version"` // the version spoken from now on
	Codec   string `sync:"codec"`   // one of those offered
	Limits  Limits `sync:"limits"`  // the lower of both sides' limits, field by field
	PID     int    `sync:"pid"`     // as the child sees it
}

// ConfigOK confirms that CONFIG arrived complete, by its size and digest. It is the body of CONFIG_OK.
type ConfigOK struct {
	Size   uint32 `sync:"size"`   // bytes of all the fragments
	Digest string `sync:"digest"` // Digest of all the fragments' bytes in 16 hexadecimal digits
}

// Call is the body of REQUEST and REPLY.
type Call struct {
	Name string `sync:"name"` // the request's or the reply's, of the profile
	Arg  Value  `sync:"arg"`  // null if there is no argument
}

// Note is a line for the log, the body of NOTE.
type Note struct {
	Level string `sync:"level"` // "debug", "info", "warning" or "error"
	Text  string `sync:"text"`  // one line
}

// Validate refuses a level that is not one of the four.
func (n *Note) Validate() error {
	switch n.Level {
	case "debug", "info", "warning", "error":
		return nil
	}
	return &BindError{"level", "want debug, info, warning or error, got " + strconv.QuoteToASCII(cutText(n.Level, 40))}
}

// Cancel tells the child to stop; the child sends ERROR and ends. It is the body of CANCEL.
type Cancel struct {
	Reason string `sync:"reason"` // for people
}

// Greeting returns the Hello for a profile.
func Greeting(p *Profile, codecs []string, l Limits, session string) Hello {
	return Hello{MinVersion: Version, MaxVersion: Version, Codecs: codecs, Profile: p.Name, Hash: p.fingerprint(),
		Limits: l.WithDefaults(), Session: session}
}

// Acknowledge returns the child's HELLO_ACK for a greeting, given the child's own profile, codecs and limits. It
// returns a *ProtocolError if there is no common version or codec, if the profiles differ, or if the limits leave no
// room for a conversation.
func (h Hello) Acknowledge(p *Profile, codecs []string, l Limits, pid int) (HelloAck, error) {
	if h.MinVersion > Version || h.MaxVersion < Version {
		return HelloAck{}, &ProtocolError{Code: CodeVersion, Sender: Parent, Kind: KindHello,
			Text: "versions " + strconv.Itoa(h.MinVersion) + " to " + strconv.Itoa(h.MaxVersion) + " do not include " +
				strconv.Itoa(Version)}
	}
	if h.Profile != p.Name || h.Hash != p.fingerprint() {
		return HelloAck{}, &ProtocolError{Code: CodeProfile, Sender: Parent, Kind: KindHello,
			Text: "profile " + quote32(h.Profile) + " " + quote32(h.Hash) + " is not " + quote32(p.Name) + " " +
				quote32(p.fingerprint()) + ": parent and child are of different versions"}
	}
	for _, want := range h.Codecs {
		for _, have := range codecs {
			if want == have {
				both := l.Meet(h.Limits)
				return HelloAck{Version: Version, Codec: have, Limits: both, PID: pid}, both.Validate()
			}
		}
	}
	return HelloAck{}, &ProtocolError{Code: CodeVersion, Sender: Parent, Kind: KindHello,
		Text: "no codec of " + quoteAll(h.Codecs) + " is among " + quoteAll(codecs)}
}

// Check refuses a HelloAck that does not follow from the Hello that it acknowledges.
func (h Hello) Check(a HelloAck) error {
	offered := false
	for _, c := range h.Codecs {
		offered = offered || c == a.Codec
	}
	if a.Version < h.MinVersion || a.Version > h.MaxVersion || !offered || a.Limits.Meet(h.Limits) != a.Limits {
		return &ProtocolError{Code: CodeVersion, Sender: Child, Kind: KindHelloAck,
			Text: "version " + strconv.Itoa(a.Version) + ", codec " + quote32(a.Codec) +
				" and its limits do not follow from the greeting"}
	}
	return nil
}

func hex16(n uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[n>>(60-4*i)&15]
	}
	return string(b[:])
}

func quoteAll(names []string) string {
	s := "["
	for i, n := range names {
		if i > 0 {
			s += " "
		}
		if i == 8 {
			s += "..."
			break
		}
		s += quote32(n)
	}
	return s + "]"
}

// quote32 quotes the beginning of text that the peer has chosen.
func quote32(s string) string { return strconv.Quote(cutText(s, 32)) }
