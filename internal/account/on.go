//go:build handfast_account

package account

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
)

var (
	marks = make([]Mark, 0, 64)
	path  = os.Getenv(Variable)
)

// End marks the end of a phase.
func End(phase string) {
	if path == "" {
		return
	}
	var now unix.Timespec
	var use unix.Rusage
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	_ = unix.Getrusage(unix.RUSAGE_SELF, &use)
	marks = append(marks, Mark{
		Phase: phase, NS: now.Nano(), CPUUS: (use.Utime.Nano() + use.Stime.Nano()) / 1000,
		Voluntary: int64(use.Nvcsw), Involuntary: int64(use.Nivcsw), Faults: int64(use.Minflt),
	})
}

// Trace returns a function for transport.Options.Trace that marks the messages of the peer and calls next, which
// may be nil.
func Trace(next func(transport.Event)) func(transport.Event) {
	return func(e transport.Event) {
		switch {
		case e.End != syncproto.Undecided:
			End("child: until its end of file")
		case e.Sent:
		case e.Name != "":
			End("child: until " + e.Header.Kind.String() + " " + e.Name)
		default:
			End("child: until " + e.Header.Kind.String())
		}
		if next != nil {
			next(e)
		}
	}
}

// Write writes the marks to the file, as a JSON array.
func Write() {
	if path == "" {
		return
	}
	text, err := json.Marshal(marks)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "account:", err)
	}
}
