package lifecycle

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lastSignal is the highest real-time signal, signal(7).
const lastSignal = 64

// rtMin is SIGRTMIN as C libraries on Linux number it: they reserve the kernel's first two real-time signals.
const rtMin = 34

// ParseSignal parses a signal as people write it: a number from 0 to 64 (0 only checks whether the process exists,
// kill(2)), or a name with or without SIG, in any case, including RTMIN+n and RTMAX-n.
func ParseSignal(text string) (unix.Signal, error) {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 0 || n > lastSignal {
			return 0, fmt.Errorf("signal %d: want a number from 0 to %d: %w", n, lastSignal, unix.EINVAL)
		}
		return unix.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if s := unix.SignalNum("SIG" + name); s != 0 {
		return s, nil
	}
	if n, ok := realTime(name); ok {
		return n, nil
	}
	return 0, fmt.Errorf("unknown signal %q: want a name such as TERM or SIGTERM, or a number: %w", text, unix.EINVAL)
}

func realTime(name string) (unix.Signal, bool) {
	base, offset := rtMin, 0
	rest, found := strings.CutPrefix(name, "RTMIN")
	if !found {
		if rest, found = strings.CutPrefix(name, "RTMAX"); !found {
			return 0, false
		}
		base = lastSignal
	}
	if rest != "" {
		n, err := strconv.Atoi(rest)
		if err != nil || (rest[0] != '+' && rest[0] != '-') {
			return 0, false
		}
		offset = n
	}
	n := base + offset
	return unix.Signal(n), n >= rtMin && n <= lastSignal
}

// Forwarded returns the signals that a runtime in the foreground passes on to the container: all that are sent on
// purpose. This excludes the signals that the kernel sends to the runtime about itself (SIGCHLD, SIGPIPE, the
// faults), SIGURG, which Go's scheduler uses internally, and SIGWINCH, which resizes the terminal. A runtime that
// shows a terminal keeps SIGTSTP, SIGTTIN and SIGTTOU for itself.
func Forwarded() []unix.Signal {
	fixed := [...]unix.Signal{
		unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGTERM,
		unix.SIGCONT,
		unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGVTALRM, unix.SIGPROF, unix.SIGIO, unix.SIGPWR, unix.SIGXCPU,
		unix.SIGXFSZ,
	}
	all := make([]unix.Signal, 0, len(fixed)+lastSignal-rtMin+1)
	all = append(all, fixed[:]...)
	for n := rtMin; n <= lastSignal; n++ {
		all = append(all, unix.Signal(n))
	}
	return all
}
