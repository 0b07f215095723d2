package syncproto

import "strconv"

// Code is the class of an error: a stable word that programs branch on and that both sides may see.
type Code string

// The codes. Those of the protocol itself are raised here; the others stand in error reports. Codes of a user's own
// start with "app:".
const (
	CodeForeign     Code = "foreign"     // the bytes are not this protocol's
	CodeFrame       Code = "frame"       // a frame that no correct peer sends
	CodeVersion     Code = "version"     // no common version or codec
	CodeProfile     Code = "profile"     // the profiles differ, or one is not valid
	CodeLimit       Code = "limit"       // over a limit
	CodeState       Code = "state"       // a frame that may not come now
	CodeDescriptors Code = "descriptors" // too many, too few, or cut off
	CodeDecode      Code = "decode"      // a payload that its codec refuses, or with wrong fields
	CodeConfig      Code = "config"      // the configuration cannot be carried out
	CodeSetup       Code = "setup"       // a step of the set-up failed
	CodeExec        Code = "exec"        // the program could not be executed
	CodeHook        Code = "hook"        // a hook failed
	CodeCancelled   Code = "cancelled"   // the parent asked the child to stop
	CodeTimeout     Code = "timeout"     // a deadline passed
	CodePanic       Code = "panic"       // the program itself is wrong
	CodeInternal    Code = "internal"    // anything else
)

// ProtocolError is a breach of the protocol, or the refusal to commit one: the frame was not sent, or the conversation
// is over.
type ProtocolError struct {
	Code   Code
	State  State  // of the machine that refused
	Phase  string // of its profile; empty before Configured
	Sender Role   // whose frame it was
	Kind   Kind   // of the frame; zero where there was none
	Text   string // what is wrong with it
}

// Error is one line: who sent what, what is wrong with it, and the state it met.
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

// SyncCode is the violation's code, as package remote asks for it (remote.Coder). A nil *ProtocolError has none.
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

// refuse is the error for a frame that m does not let pass.
func (m *Machine) refuse(code Code, sender Role, kind Kind, text string) error {
	v := m.Verdict()
	return &ProtocolError{Code: code, State: v.State, Phase: v.Phase, Sender: sender, Kind: kind, Text: text}
}
