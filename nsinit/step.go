package nsinit

import (
	"strconv"

	"github.com/handfast/handfast/syncproto/container"
)

// step is one thing to do: a small value with what it needs to know, and what it does, which stands beside its type.
type step interface {
	stage() stage
	// detail is what a plan prints of the step after its stage; empty where there is nothing to say.
	detail() string
	do(c *child) error
}

// describe is a step in one line.
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
	if m.Remount {
		parts = []string{"remount", m.Destination}
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

// stepError is a step that failed: its stage, what was tried, on what, and why. errors.Is reaches the errno.
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

// Unwrap is the cause.
func (e *stepError) Unwrap() error { return e.Err }

// Location is what package remote sends of the error besides its cause.
func (e *stepError) Location() (stage, op, path string) { return string(e.Stage), e.Op, e.Path }
