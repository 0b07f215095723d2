package spawn

import (
	"errors"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// failureWords says what went wrong with a conversation in words that need no knowledge of the protocol. An error that
// either side reported is in its own words; everything else says what the process was doing. The text of the Failure
// itself, which says where the conversation was, is StartError.Detail.
func failureWords(f *transport.Failure) string {
	const process = "the container's process "
	during := " while " + doing(f)
	cause := ""
	if f.Err != nil {
		cause = ": " + f.Err.Error()
	}
	switch f.Outcome {
	case syncproto.Died:
		return process + "ended" + during
	case syncproto.Broken:
		return "the connection to " + process + "broke" + during + cause
	case syncproto.TimedOut:
		return process + "made no progress for " + f.Waited.Round(time.Millisecond).String() + during + cause
	case syncproto.Cancelled:
		return "cancelled" + during + cause
	case syncproto.Violated:
		return process + "broke the protocol" + during + cause
	}
	return f.Error()
}

// doing completes "while": what the child does at this point of the conversation, or waits for.
func doing(f *transport.Failure) string {
	switch f.Request {
	case container.MountRequest.Request:
		return "a mount source was opened for it"
	case container.HooksRequest.Request:
		return "the hooks of the runtime ran"
	case container.ConsoleRequest.Request:
		return "its terminal was handed over"
	case container.ReadyRequest.Request:
		return "its limits were set and its state was stored"
	case container.SeccompRequest.Request:
		return "its seccomp listener was handed over"
	}
	switch {
	case f.State < syncproto.Agreed:
		return "it was starting"
	case f.State < syncproto.Configured:
		return "it was reading its configuration"
	case f.State >= syncproto.Committed:
		return "it was executing the program"
	case f.Phase == container.InitProfile().Phases[0].Name: // and that of SetnsProfile
		return "it was being set up"
	}
	return "it was preparing the execution of the program"
}

// Detail returns where the conversation was when it failed, in the words of package transport, for the debug log.
// It is empty if Error says all.
func (e *StartError) Detail() string {
	var f *transport.Failure
	if !errors.As(e.Err, &f) || f.Error() == failureWords(f) {
		return ""
	}
	return f.Error()
}
