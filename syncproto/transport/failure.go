package transport

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/remote"
)

// Failure is any end of a conversation other than success. It holds the machine's verdict, what was waited for and how
// long, and every known cause, the most important one first. errors.Is and errors.As find them all, including those of
// the other process (package remote).
type Failure struct {
	syncproto.Verdict
	Role   syncproto.Role // the side that returned this Failure
	Wait   syncproto.Wait // what was waited for
	Waited time.Duration  // and for how long
	Err    error          // the main cause; nil if only the verdict is known
	Also   []error        // its consequences and later causes
	write  bool           // the timeout was that of sending a frame
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
		s = "the " + peer + " ended without a report " + f.where()
		if f.Wait != syncproto.WaitNothing {
			s += ", " + f.Waited.Round(100*time.Microsecond).String() + " into the wait for " + f.Wait.String()
		}
	case syncproto.TimedOut:
		if f.write {
			return "the " + peer + " accepted no data for " + f.Waited.Round(time.Millisecond).String() + " " + f.where()
		}
		s = "the " + peer + " did not reply within " + f.Waited.Round(time.Millisecond).String() +
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

// Unwrap returns every cause.
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

// errZero is the error of every method of a value that was not made by the function for it.
var errZero error = zeroError{}

type zeroError struct{}

func (zeroError) Error() string {
	return "transport: a zero value has no connection: NewParent, NewChild, StartCommand, New, Take and Adopt make one"
}

// Unwrap returns os.ErrInvalid.
func (zeroError) Unwrap() error { return os.ErrInvalid }

// Refused is the refusal of one request: the other side replied with an error. The conversation goes on.
type Refused struct{ Err error }

func (e *Refused) Error() string {
	if e.Err == nil {
		return "the request was refused"
	}
	return e.Err.Error()
}

// Unwrap returns the error of the other side.
func (e *Refused) Unwrap() error { return e.Err }

// CancelledError is returned by a child's call when the parent tells the child to stop. The child must then call Fail
// and end.
type CancelledError struct{ Reason string }

// Error is one line, whatever the reason holds.
func (e *CancelledError) Error() string {
	return "cancelled by the parent: " + remote.OneLine(e.Reason)
}

// SyncCode returns CodeCancelled.
func (e *CancelledError) SyncCode() syncproto.Code { return syncproto.CodeCancelled }

// Is reports whether target is context.Canceled.
func (e *CancelledError) Is(target error) bool { return target == context.Canceled }
