package spawn

import (
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
)

const stageHandshake = "handshake"

// StartError says why a start failed. It wraps the errno, even one of a system call in the child.
type StartError struct {
	Stage   string             // "plan", "gate", "clone", "oom_score_adj", "started" or "handshake"
	Err     error              // the cause; for "handshake" a *transport.Failure or an error of the Handler
	Reaped  bool               // the child was reaped, and Status is valid
	Status  syscall.WaitStatus // how the child ended; often killed by Start itself
	Cleanup error              // what could not be undone
}

// Error is one line, in words that need no knowledge of the protocol.
func (e *StartError) Error() string {
	if e.Err == nil {
		return "the start failed in the stage " + strconv.Quote(e.Stage)
	}
	s := e.Err.Error()
	died := errors.Is(e.Err, errNeverExecuted)
	var f *transport.Failure
	if errors.As(e.Err, &f) {
		died = f.Outcome == syncproto.Died || f.Outcome == syncproto.Broken
	}
	if e.Err == error(f) {
		s = failureWords(f)
	}
	if died && e.Reaped {
		s += ": " + describeEnd(e.Status)
	}
	if e.Cleanup != nil {
		s += "; and " + e.Cleanup.Error()
	}
	return s
}

// Unwrap returns the cause and what could not be undone.
func (e *StartError) Unwrap() (all []error) {
	for _, err := range []error{e.Err, e.Cleanup} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// joinErrors joins two errors in one line; either may be nil.
func joinErrors(first, second error) error {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return fmt.Errorf("%w; and %w", first, second)
}

func asStartError(err error) *StartError {
	var e *StartError
	if errors.As(err, &e) {
		return e
	}
	return &StartError{Stage: stageHandshake, Err: err}
}

// describeEnd says how a process ended.
func describeEnd(s syscall.WaitStatus) string {
	switch {
	case s.Signaled() && s.CoreDump():
		return fmt.Sprintf("it was ended by signal %d (%s), core dumped", s.Signal(), s.Signal())
	case s.Signaled():
		return fmt.Sprintf("it was ended by signal %d (%s)", s.Signal(), s.Signal())
	}
	return "it exited with status " + strconv.Itoa(s.ExitStatus())
}
