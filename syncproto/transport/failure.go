package transport

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/handfast/handfast/syncproto"
)

// Failure is the end of a conversation that was not success: the machine's verdict, what was waited for and how long,
// and every cause that is known, the first one first. errors.Is and errors.As reach them all, those of the other
// process included (package remote).
type Failure struct {
	syncproto.Verdict
	Role   syncproto.Role // whose failure report this is
	Wait   syncproto.Wait // what was waited for
	Waited time.Duration  // and for how long
	Err    error          // the first cause; nil where the verdict is all that is known
	Also   []error        // what came of it, or came later
	write  bool           // it was a frame that found no room
}

// Error is one line: what happened, where in the conversation, and the cause.
func (f *Failure) Error() string {
	peer := f.Role.Peer().String()
	var s string
	switch f.Outcome {
	case syncproto.PeerError, syncproto.LocalError:
		if f.Err != nil {
			return f.Err.Error()
		}
		s = "the " + peer + " reported an error"
	case syncproto.Died:
		if f.Err == io.ErrUnexpectedEOF {
			return "the " + peer + " ended in the middle of a frame " + f.where()
		}
		s = "the " + peer + " ended without a word " + f.where()
		if f.Wait != syncproto.WaitNothing {
			s += ", " + f.Waited.Round(100*time.Microsecond).String() + " into the wait for " + f.Wait.String()
		}
	case syncproto.TimedOut:
		if f.write {
			return "the " + peer + " took nothing for " + f.Waited.Round(time.Millisecond).String() + " " + f.where()
		}
		s = "the " + peer + " did not answer within " + f.Waited.Round(time.Millisecond).String() +
			": waited for " + f.Wait.String() + " " + f.where()
	case syncproto.Cancelled:
		s = "cancelled " + f.where()
	case syncproto.Violated:
		s = "the " + peer + " broke the protocol"
	default:
		s = "the connection to the " + peer + " broke " + f.where()
	}
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

func (f *Failure) where() string {
	s := "(state " + f.State.String()
	if f.Phase != "" {
		s += ", phase " + strconv.Quote(f.Phase)
	}
	if f.Request != "" {
		s += ", request " + strconv.Quote(f.Request)
	}
	return s + ")"
}

// Unwrap gives every cause.
func (f *Failure) Unwrap() []error {
	all := append([]error(nil), f.Also...)
	if f.Err != nil {
		all = append([]error{f.Err}, all...)
	}
	switch {
	case f.Outcome == syncproto.TimedOut:
		all = append(all, context.DeadlineExceeded, os.ErrDeadlineExceeded)
	case f.Outcome == syncproto.Cancelled && !errors.Is(f.Err, context.DeadlineExceeded):
		all = append(all, context.Canceled)
	}
	return all
}

// Refused is the failure of one request: the other side replied to it with an error. The conversation goes on.
type Refused struct{ Err error }

func (e *Refused) Error() string { return e.Err.Error() }

// Unwrap is the error of the other side.
func (e *Refused) Unwrap() error { return e.Err }

// CancelledError is what a child's call returns when the parent asked it to stop. The child then says so with Fail and
// ends.
type CancelledError struct{ Reason string }

func (e *CancelledError) Error() string { return "cancelled by the parent: " + e.Reason }

// SyncCode is CodeCancelled.
func (e *CancelledError) SyncCode() syncproto.Code { return syncproto.CodeCancelled }

// Is reports that a cancellation is a context.Canceled.
func (e *CancelledError) Is(target error) bool { return target == context.Canceled }
