package faults

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Call is a system call that a traced process was about to make.
type Call struct {
	Name string // such as mkdirat
	Path string // its path argument, the file behind its descriptor, or its first numbers; empty if it has none of these
	PID  int    // the thread that makes it, as this process sees it
	Own  bool   // made by the command itself, not by one of its child processes
}

// String returns the call as an error message would name it.
func (c Call) String() string {
	who := "child"
	if c.Own {
		who = "command"
	}
	return strings.TrimSpace(fmt.Sprintf("%s: %s %s", who, c.Name, c.Path))
}

// At names one call of a run: the N-th, counted from 1, of those that match the other fields.
type At struct {
	Syscall string // name; empty: any call that changes something
	Path    string // part of the call's Path; empty: any
	N       int
	Any     bool              // calls that change nothing count, too, if this package knows their names
	Where   func(c Call) bool // nil: any
	Each    bool              // each process counts its own calls, and has the fault at its N-th
}

// matches reports whether the call counts.
func (at At) matches(c Call) bool {
	return (at.Syscall == "" || at.Syscall == c.Name) && strings.Contains(c.Path, at.Path) &&
		(at.Where == nil || at.Where(c))
}

// Fault is what happens at the chosen call.
type Fault struct {
	kill  bool
	errno unix.Errno
}

// String returns the fault in a word or two.
func (f Fault) String() string {
	switch {
	case f.kill:
		return "SIGKILL"
	case f.errno != 0:
		return unix.ErrnoName(f.errno)
	}
	return "no fault"
}

// Errno returns the error with which the call fails; zero if it does not fail.
func (f Fault) Errno() unix.Errno { return f.errno }

// Kill ends the process with SIGKILL when it is about to make the call. The call is not made.
func Kill() Fault { return Fault{kill: true} }

// Errno makes the call fail with e. The call is not carried out.
func Errno(e unix.Errno) Fault { return Fault{errno: e} }

// None makes nothing fail: Run only records the calls.
func None() Fault { return Fault{} }

// Report is the result of a run.
type Report struct {
	Status unix.WaitStatus // status of the command
	Calls  []Call          // every call that At describes, in order, until the command ended
	Hit    *Call           // the first call with the fault; nil: there were fewer than N calls
	Left   []int           // processes of the command that were running when it ended
	Hung   bool            // the command did not end within Patience, and was killed
}

// Patience is how long a command may take before it counts as hung.
const Patience = time.Minute

// where says where the path of a call is.
type where int

const (
	nowhere    where = iota
	first            // argument 0 is the path
	second           // argument 1 is the path
	descriptor       // argument 0 is a descriptor
	numbers          // arguments 0 and 1 are numbers
)

// changing is a system call whose effect outlasts it.
type changing struct {
	name  string
	path  where
	fails []unix.Errno // errors from its manual page that are not programming errors
	only  func(t *tracee, args [6]uint64, path string) bool
}
