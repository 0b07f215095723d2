// Package recording writes and reads the file of --trace: commands, each with its phases and its conversations.
//
// The file is lines of JSON. Each is appended by one write(2) to a file opened with O_APPEND, so that commands which
// run one after another, or at the same time, share a file. Every line names its command in the member run:
//
//	{"run":"4711-18c0a5","ns":0,"command":"create","container":"web","pid":4711,"began":"2026-01-02T12:00:00.5Z"}
//	{"run":"4711-18c0a5","ns":412345,"phase":"make the group"}
//	{"run":"4711-18c0a5","ns":923456,"conversation":1,"data":"SEZUUgEA..."}
//	{"run":"4711-18c0a5","ns":1923456,"status":1,"error":"no such file or directory"}
//
// The member ns is the time since the command began, in nanoseconds of a clock that nobody sets. A phase lasts until
// the next one, or until the command ends. The data of a conversation is what package transcript writes, as base64:
// joined in the order of the lines it is that conversation's transcript, which leaves out environments and arguments.
//
// A file is readable whatever happened to its writers: a line that is cut off, by a full disk or because the command
// was killed, costs that line. Of a file of more than 64 MiB the rest is not read.
package recording

import (
	"errors"
	"fmt"
	"time"

	"github.com/handfast/handfast/syncproto/transcript"
)

const (
	maxLine  = 16 << 20 // enough for the longest record of a transcript, 8 MiB, as base64
	maxTotal = 64 << 20 // some thousands of commands; what is made of a hostile file takes thirty times as much memory

	opening = `{"run":"` // how a file begins
)

// line is one line of the file. Exactly one of Command, Phase, Conversation and Status is set.
type line struct {
	Run string `json:"run"`
	NS  int64  `json:"ns"`

	Command   string    `json:"command,omitempty"`
	Container string    `json:"container,omitempty"` // beside Command
	PID       int       `json:"pid,omitempty"`       // beside Command
	Began     time.Time `json:"began,omitzero"`      // beside Command

	Phase string `json:"phase,omitempty"`

	Conversation int    `json:"conversation,omitempty"` // from 1 on
	Data         []byte `json:"data,omitempty"`         // beside Conversation

	Status *int   `json:"status,omitempty"`
	Error  string `json:"error,omitempty"` // beside Status
}

// Command is what a file says about one run of a command. Times without a date count from its begin.
type Command struct {
	Name      string // "" if the line with its begin is lost, and for a conversation that stands alone
	Container string // "" for a command without one
	PID       int
	Began     time.Time

	Phases        []Phase
	Conversations []Conversation

	Ended  bool // false if it was killed, or still runs
	End    time.Duration
	Status int    // the exit status
	Error  string // the error that ended it

	last time.Duration // of its latest line
}

// Phase is a part of a command's work. It ends where the next one begins.
type Phase struct {
	Began time.Duration
	Name  string
}

// Conversation is a transcript. The times of its events count from Began.
type Conversation struct {
	Began time.Duration
	*transcript.Transcript
	Raw []byte // the transcript as package transcript reads it; nil if the file holds it alone
}

// Transcript returns the file of one conversation, in the form that package transcript reads: the one with this number,
// from 1 on through all commands. With number 0 there must be exactly one.
func Transcript(all []*Command, number int) ([]byte, error) {
	var talks []Conversation
	for _, c := range all {
		talks = append(talks, c.Conversations...)
	}
	switch {
	case number == 0 && len(talks) == 1:
		number = 1
	case number < 1 || number > len(talks):
		return nil, fmt.Errorf("conversation %d of %d: want the number of one, from 1 on", number, len(talks))
	}
	if talks[number-1].Raw == nil {
		return nil, errors.New("the file is a transcript already")
	}
	return talks[number-1].Raw, nil
}

// Last returns the time of the last thing that is known of the command.
func (c *Command) Last() time.Duration {
	if c.Ended {
		return c.End
	}
	return c.last
}

// ErrFormat says that a file is not a recording.
var ErrFormat = errors.New("not a recording of handfast commands")

// ErrDamaged says that parts of a file could not be read. What could be read was returned beside it.
var ErrDamaged = errors.New("the recording is damaged")
