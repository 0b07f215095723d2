package spawn

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
)

// The words of the protocol are in Detail alone, and the errno is reached from the error all the same.
func TestWordsOfAStartError(t *testing.T) {
	verdict := func(o syncproto.Outcome, s syncproto.State, phase, request string) syncproto.Verdict {
		return syncproto.Verdict{Outcome: o, State: s, Phase: phase, Request: request}
	}
	for _, c := range []struct {
		failure transport.Failure
		want    string
	}{
		{transport.Failure{Verdict: verdict(syncproto.Died, syncproto.Greeted, "", ""), Err: unix.EPIPE},
			"the container's process ended while it was starting: it was ended by signal 9 (killed)"},
		{transport.Failure{Verdict: verdict(syncproto.Died, syncproto.Agreed, "", ""), Err: unix.EPIPE},
			"the container's process ended while it was reading its configuration: it was ended by signal 9 (killed)"},
		{transport.Failure{Verdict: verdict(syncproto.Died, syncproto.Configured, "setup", "hooks"), Err: unix.EPIPE},
			"the container's process ended while the hooks of the runtime ran: it was ended by signal 9 (killed)"},
		{transport.Failure{Verdict: verdict(syncproto.Died, syncproto.Configured, "setup", ""), Err: io.ErrUnexpectedEOF},
			"the container's process ended while it was being set up: it was ended by signal 9 (killed)"},
		{transport.Failure{Verdict: verdict(syncproto.Broken, syncproto.Configured, "released", ""), Err: unix.EIO},
			"the connection to the container's process broke while it was preparing the execution of the program: " +
				"input/output error: it was ended by signal 9 (killed)"},
		{transport.Failure{Verdict: verdict(syncproto.TimedOut, syncproto.Committed, "released", ""),
			Waited: 5 * time.Second},
			"the container's process made no progress for 5s while it was executing the program"},
		{transport.Failure{Verdict: verdict(syncproto.Cancelled, syncproto.Configured, "setup", "ready"),
			Err: unix.ECANCELED},
			"cancelled while its limits were set and its state was stored: operation canceled"},
		{transport.Failure{Verdict: verdict(syncproto.PeerError, syncproto.Configured, "setup", ""), Err: unix.ENOENT},
			"no such file or directory"},
	} {
		c.failure.Role = syncproto.Parent
		e := &StartError{Err: &c.failure, Reaped: true, Status: syscall.WaitStatus(unix.SIGKILL)}
		if e.Error() != c.want {
			t.Errorf("got  %s\nwant %s", e, c.want)
		}
		if c.failure.Err != nil && !errors.Is(e, c.failure.Err) {
			t.Errorf("%s: does not wrap %v", e, c.failure.Err)
		}
		reported := c.failure.Outcome == syncproto.PeerError
		if d := e.Detail(); (d == "") != reported || !reported && !strings.Contains(d, c.failure.State.String()) {
			t.Errorf("%s: detail %q", e, d)
		}
	}
	wrapped := &StartError{Err: fmt.Errorf("a note: %w", &transport.Failure{Err: unix.EIO})}
	if !strings.HasPrefix(wrapped.Error(), "a note: ") {
		t.Errorf("the words around a failure are lost: %s", wrapped)
	}
	if e := (&StartError{Err: unix.EPERM}); e.Detail() != "" || e.Error() != "operation not permitted" {
		t.Errorf("%s, detail %q", e, e.Detail())
	}
}
