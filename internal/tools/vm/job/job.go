// Package job is what the two sides of the virtual machine agree on: the list of what to run, and the lines that tell
// where one job's output ends.
package job

import (
	"fmt"
	"strings"
)

// A Job is one program that the guest runs.
type Job struct {
	Name string   `json:"name"`
	Dir  string   `json:"dir"` // where it runs: a package's directory, where its testdata is
	Args []string `json:"args"`
}

// Where things are in the guest.
const (
	Payload = "/payload"          // what this run carries in, read-only
	Bin     = Payload + "/bin"    // programs at the paths of their packages, for HANDFAST_TEST_BIN
	Source  = Payload + "/source" // the module
	Tests   = Payload + "/tests"  // compiled tests
	Guest   = Payload + "/guest"  // the guest's own program
	Console = "/dev/ttyS1"        // what is said on it is seen live; the kernel has ttyS0 for itself
)

// List is the file with the jobs of a boot, as JSON.
func List(boot string) string { return Payload + "/" + boot + ".json" }

// mark begins the lines that are the guest's own.
const mark = "### handfast-vm: "

// The guest's own lines.
func Begin(name string) string           { return mark + "begin " + name }
func End(name string, status int) string { return fmt.Sprintf("%send %d %s", mark, status, name) }
func Done() string                       { return mark + "done" }

// Event is one of the guest's own lines, understood.
type Event struct {
	Kind   string // "begin", "end" or "done"
	Name   string
	Status int // of "end": the exit status, or 128 and the signal
}

// Parse understands a line of the console; ok is false for everything that the jobs say themselves.
func Parse(line string) (e Event, ok bool) {
	rest, ok := strings.CutPrefix(line, mark)
	if !ok {
		return e, false
	}
	e.Kind, e.Name, _ = strings.Cut(rest, " ")
	switch e.Kind {
	case "begin":
		return e, e.Name != ""
	case "done":
		return e, e.Name == ""
	case "end":
		var status string
		status, e.Name, _ = strings.Cut(e.Name, " ")
		_, err := fmt.Sscan(status, &e.Status)
		return e, err == nil && e.Name != ""
	}
	return e, false
}
