// Package job defines what the two sides of the virtual machine share: the list of jobs to run, and the lines that
// mark where the output of a job ends.
package job

import (
	"fmt"
	"strings"
)

// A Job is one program that the guest runs.
type Job struct {
	Name string   `json:"name"`
	Dir  string   `json:"dir"` // its working directory: a package's directory, with the testdata
	Args []string `json:"args"`
}

// Paths in the guest.
const (
	Payload = "/payload"          // the files of this run, read-only
	Bin     = Payload + "/bin"    // programs at the paths of their packages, for HANDFAST_TEST_BIN
	Source  = Payload + "/source" // the module
	Tests   = Payload + "/tests"  // compiled tests
	Guest   = Payload + "/guest"  // the guest's own program
)

// List returns the name of the file with the jobs of a boot, as JSON.
func List(boot string) string { return Payload + "/" + boot + ".json" }

// mark is the prefix of the guest's own lines.
const mark = "### handfast-vm: "

// The guest's own lines.
func Begin(name string) string           { return mark + "begin " + name }
func End(name string, status int) string { return fmt.Sprintf("%send %d %s", mark, status, name) }
func Done() string                       { return mark + "done" }

// Event is one of the guest's own lines, parsed.
type Event struct {
	Kind   string // "begin", "end" or "done"
	Name   string
	Status int // of "end": the exit status, or 128 and the signal
}

// Parse parses a line of the console. ok is false for all output of the jobs themselves.
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
