package nsinit

import (
	"strconv"
	"strings"

	"github.com/handfast/handfast/syncproto/container"
)

// step is one thing to do. Which of the fields count depends on the stage; String prints those.
type step struct {
	Stage     stage
	Path      string // of what is done, inside the container unless the stage is of the host
	Text      string // a value: a name, a parameter's value, a link's target
	Namespace *container.Namespace
	Mount     *container.Mount
	Device    *container.Device
	Rlimit    *container.Rlimit
	Hook      *container.Hook
}

// String is the step in one line.
func (s step) String() string {
	parts := []string{string(s.Stage)}
	switch {
	case s.Namespace != nil:
		parts = append(parts, s.Namespace.How, s.Namespace.Kind)
	case s.Mount != nil:
		parts = append(parts, describeMount(s.Mount)...)
	case s.Device != nil:
		d := s.Device
		parts = append(parts, d.Path, d.Type, strconv.Itoa(int(d.Major))+":"+strconv.Itoa(int(d.Minor)), "mode",
			strconv.FormatUint(uint64(d.Mode), 8))
	case s.Rlimit != nil:
		parts = append(parts, strconv.Itoa(s.Rlimit.Resource), strconv.FormatUint(s.Rlimit.Soft, 10),
			strconv.FormatUint(s.Rlimit.Hard, 10))
	}
	if s.Path != "" {
		parts = append(parts, s.Path)
	}
	if s.Text != "" {
		parts = append(parts, s.Text)
	}
	return strings.Join(parts, " ")
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
