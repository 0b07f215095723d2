package syncproto

import "strconv"

// Code is the class of an error: a stable word that programs can branch on and that both sides may see.
type Code string

// The codes. This package returns those that concern the protocol itself; the others occur in error reports. Codes that
// an application defines start with "app:".
const (
	CodeForeign     Code = "foreign"     // the bytes are not this protocol's
	CodeFrame       Code = "frame"       // a frame that no correct peer sends
	CodeVersion     Code = "version"     // no common version or codec
	CodeProfile     Code = "profile"     // the profiles differ, or one is not valid
	CodeLimit       Code = "limit"       // over a limit
	CodeState       Code = "state"       // a frame that is not legal now
	CodeDescriptors Code = "descriptors" // too many, too few, or cut off
	CodeDecode      Code = "decode"      // a payload that the codec refuses, or whose fields are wrong
	CodeConfig      Code = "config"      // the configuration cannot be carried out
	CodeSetup       Code = "setup"       // a step of the set-up failed
	CodeExec        Code = "exec"        // the program could not be executed
	CodeHook        Code = "hook"        // a hook failed
	CodeCancelled   Code = "cancelled"   // the parent told the child to stop
	CodeTimeout     Code = "timeout"     // a deadline passed
	CodePanic       Code = "panic"       // a bug in the reporting program
	CodeInternal    Code = "internal"    // anything else
)

// ProtocolError reports a violation of the protocol. If this side would have committed it, the frame was not sent; if
// the peer did, the conversation is over.
type ProtocolError struct {
	Code   Code
	State  State  // the state of the machine that refused the frame
	Phase  string // the phase of its profile; empty before Configured
	Sender Role   // the side that sent the frame
	Kind   Kind   // the kind of the frame; zero if there was none
	Text   string // what is wrong with it
}

// Error returns one line that says who sent what, what is wrong with it, and in which state it arrived.
func (e *ProtocolError) Error() string {
	s := "syncproto: " + e.Text
	if e.Kind != 0 {
		s = "syncproto: " + e.Kind.String() + " from the " + e.Sender.String() + ": " + e.Text + " (state " + e.State.String()
		if e.Phase != "" {
			s += ", phase " + strconv.Quote(e.Phase)
		}
		s += ")"
	}
	return s
}

// SyncCode returns the code, as the interface remote.Coder requires. A nil *ProtocolError has none.
func (e *ProtocolError) SyncCode() Code {
	if e == nil {
		return ""
	}
	return e.Code
}

// Is reports whether target is a *ProtocolError of the same code: errors.Is(err, &ProtocolError{Code: CodeLimit}).
func (e *ProtocolError) Is(target error) bool {
	t, ok := target.(*ProtocolError)
	return ok && t.Code == e.Code
}

// refuse returns the error for a frame that m does not accept.
func (m *Machine) refuse(code Code, sender Role, kind Kind, text string) error {
	v := m.Verdict()
	return &ProtocolError{Code: code, State: v.State, Phase: v.Phase, Sender: sender, Kind: kind, Text: text}
}
