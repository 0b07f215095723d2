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

// StartError is why there is no child. errors.Is reaches the errno, also one that the child met in its own process.
type StartError struct {
	Stage   string             // "plan", "gate", "clone", "oom_score_adj", "started" or "handshake"
	Err     error              // the cause; for "handshake" a *transport.Failure or an error of the Handler
	Reaped  bool               // Status holds how the child ended
	Status  syscall.WaitStatus // SIGKILL here is often Start's own
	Cleanup error              // what could not be undone
}

// Error is one line, in words that need no knowledge of the protocol.
func (e *StartError) Error() string {
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
		s += ": " + describe(e.Status)
	}
	if e.Cleanup != nil {
		s += "; and " + e.Cleanup.Error()
	}
	return s
}

// Unwrap gives the cause and what could not be undone.
func (e *StartError) Unwrap() []error {
	if e.Cleanup == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Cleanup}
}

// also is two errors in one line; either may be nil.
func also(first, second error) error {
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

// describe says how a process ended.
func describe(s syscall.WaitStatus) string {
	switch {
	case s.Signaled() && s.CoreDump():
		return fmt.Sprintf("it was ended by signal %d (%s), core dumped", s.Signal(), s.Signal())
	case s.Signaled():
		return fmt.Sprintf("it was ended by signal %d (%s)", s.Signal(), s.Signal())
	}
	return "it exited with status " + strconv.Itoa(s.ExitStatus())
}
