// Package transcript records conversations, reads the recordings, and replays them through a Session (package session).
//
// A Recorder is the hook for transport.Options.Trace:
//
//	r := transcript.NewRecorder(file, syncproto.Parent, transcript.Options{})
//	peer, err := transport.NewParent(conn, profile, transport.Options{Trace: r.Event})
//
// It records every frame's header, time and position in the conversation, and its body as JSON. The contents of fields
// named env and args are replaced by their number and size, because environments hold secrets and a transcript is meant
// to be shown.
//
// # The file
//
// A file consists of the five bytes "HFTR\x01", a byte for the role of the recording side (0 the parent, 1 the child),
// and records. A record is its length as an unsigned varint (encoding/binary), then as many bytes:
//
//	uvarint  nanoseconds since the record before, or since the Recorder was made
//	byte     1: sent by the recorder's side; 2: a body follows; 4: the end, without a frame
//	byte     the machine's state after it
//	byte     at the end, the outcome
//	16 bytes the header, zero at the end
//	string   the request's or reply's name; at the end, the error's text
//	string   the profile's phase after it
//	string   the body as JSON, if there is one
//
// A string is its length as an unsigned varint, then its bytes. A record is written by one write(2), so that a file
// whose writer died is readable to its last whole record.
package transcript

import (
	"errors"
	"time"

	"github.com/handfast/handfast/syncproto"
)

const (
	magic     = "HFTR\x01"
	maxRecord = 8 << 20 // enough for a configuration of 4 MiB as JSON
	maxTotal  = 256 << 20

	flagSent = 1
	flagBody = 2
	flagEnd  = 4
)

// Transcript is one side's record of a conversation.
type Transcript struct {
	Role   syncproto.Role // the recording side
	Events []Event
}

// Event is one frame, or the end.
type Event struct {
	Since  time.Duration // since the Recorder was made
	Sent   bool          // by the recorder's side
	Header syncproto.Header
	Name   string          // the request's or reply's
	State  syncproto.State // after the frame
	Phase  string          // after the frame
	Body   string          // JSON, with secrets taken out; empty for none
	End    syncproto.Outcome
	Error  string // at the end: what went wrong; empty for success
}

// From is the role that sent the frame.
func (t *Transcript) From(e Event) syncproto.Role {
	if e.Sent {
		return t.Role
	}
	return t.Role.Peer()
}

// What is wrong with a file.
var (
	ErrFormat = errors.New("not a transcript of a handfast conversation")
	ErrTorn   = errors.New("the transcript ends in the middle of a record")
)
