package nsinit

import (
	"strconv"

	"github.com/handfast/handfast/syncproto/container"
)

// step is one thing to do: a small value with the data that it needs, whose methods are next to its type.
type step interface {
	stage() stage
	// detail is what a plan prints after the stage of the step. It is empty if there is nothing to print.
	detail() string
	do(c *child) error
}

// mayLast reports whether a step may take long: it reaches file systems that may have to wait for a server, or runs
// another program. Before such a step the child makes sure that it still has a parent. All others together take less
// than some milliseconds, and end with a request or with EXEC, which cannot be sent without a parent.
func mayLast(s step) bool {
	switch s.(type) {
	case rootfsStep, mountStep, createHookStep, startHookStep:
		return true
	}
	return false
}

// describe returns a step as one line.
func describe(s step) string {
	if d := s.detail(); d != "" {
		return string(s.stage()) + " " + d
	}
	return string(s.stage())
}

func describeMount(m *container.Mount) []string {
	kind := m.Type
	if m.Bind {
		kind = "bind"
		if m.Recursive {
			kind = "rbind"
		}
	}
	parts := []string{kind, m.Source, "on", m.Destination}
	switch {
	case m.Remount:
		parts = []string{"remount", m.Destination}
	case m.Link != "":
		parts = []string{"link", m.Destination, "to", m.Link}
	}
	for _, v := range [...]struct {
		name string
		bits uint64
	}{{"set", m.Set}, {"clear", m.Clear}, {"rset", m.RecSet}, {"rclear", m.RecClear}, {"propagation", m.Propagation}} {
		if v.bits != 0 {
			parts = append(parts, v.name+"=0x"+strconv.FormatUint(v.bits, 16))
		}
	}
	parts = append(parts, m.FSFlags...)
	return append(parts, m.Data...)
}

// stepError is the error of a failed step: its stage, the operation, the path and the cause. errors.Is finds the
// errno.
type stepError struct {
	Stage stage
	Op    string
	Path  string
	Err   error
}

func (e *stepError) Error() string {
	s := string(e.Stage)
	if e.Op != "" {
		s += ": " + e.Op
	}
	if e.Path != "" {
		s += " " + e.Path
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *stepError) Unwrap() error { return e.Err }

// Location returns what package remote sends of the error in addition to its cause.
func (e *stepError) Location() (stage, op, path string) { return string(e.Stage), e.Op, e.Path }
