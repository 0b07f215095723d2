package cgroupfs

import (
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// EventKind says what happened.
type EventKind int

// The kinds of events.
const (
	Watching EventKind = iota + 1 // always the first: no later event is missed
	// the group reached its memory limit, and the kernel killed a process, or on v1 would have with the killer enabled
	OutOfMemory
	PressureHigh // tasks stalled for a trigger's time within its window
)

// String returns the kind in one word.
func (k EventKind) String() string {
	switch k {
	case Watching:
		return "watching"
	case OutOfMemory:
		return "oom"
	case PressureHigh:
		return "pressure"
	}
	return "kind " + strconv.Itoa(int(k))
}

// Event is something that happened to a group.
type Event struct {
	Kind    EventKind
	Kills   uint64  // OutOfMemory: how many processes of the group were killed so far
	Trigger Trigger // PressureHigh: which one
}

// Trigger requests an event when tasks of the group have stalled for some time within a window
// (Documentation/accounting/psi.rst, "Monitoring for pressure thresholds").
type Trigger struct {
	Resource string        // cpu, memory or io
	Full     bool          // all tasks that could run, not only some
	Stall    time.Duration // at least a microsecond, and not more than Window
	Window   time.Duration // 500 ms to 10 s; without CAP_SYS_RESOURCE a multiple of 2 s
}

// String returns the trigger in the kernel's form, in microseconds.
func (t Trigger) String() string {
	kind := "some"
	if t.Full {
		kind = "full"
	}
	return kind + " " + strconv.FormatInt(t.Stall.Microseconds(), 10) + " " +
		strconv.FormatInt(t.Window.Microseconds(), 10)
}

// check refuses a trigger for which the kernel would only return EINVAL.
func (t Trigger) check() error {
	switch t.Resource {
	case "cpu", "memory", "io":
	default:
		return fmt.Errorf("pressure trigger: resource %q: want cpu, memory or io: %w", t.Resource, unix.EINVAL)
	}
	if t.Window < 500*time.Millisecond || t.Window > 10*time.Second {
		return fmt.Errorf("pressure trigger of %s: window %v: want 500ms to 10s: %w", t.Resource, t.Window, unix.EINVAL)
	}
	if t.Stall < time.Microsecond || t.Stall > t.Window {
		return fmt.Errorf("pressure trigger of %s: stall %v: want 1µs to the window of %v: %w", t.Resource, t.Stall, t.Window,
			unix.EINVAL)
	}
	return nil
}
