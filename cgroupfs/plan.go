package cgroupfs

import (
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Write is a value to be written to a file of the group. Controller is the v1 name, which also identifies the
// hierarchy, or the v2 controller. Value is written as it is.
type Write struct {
	Controller string
	File       string
	Value      string
	// what to write instead if this kernel does not have File; nothing if its own File is empty, because then there is
	// nothing to limit
	Else *Write
}

// String returns the write in one line.
func (w Write) String() string {
	text := w.Controller + " " + w.File + " = " + strconv.Quote(w.Value)
	switch {
	case w.Else == nil:
		return text
	case w.Else.File == "":
		return text + ", if there is that file"
	}
	return text + ", else " + w.Else.String()
}

// equal reports whether two writes are the same.
func (w Write) equal(o Write) bool {
	if w.Else != nil && o.Else != nil && !w.Else.equal(*o.Else) || (w.Else == nil) != (o.Else == nil) {
		return false
	}
	return w.Controller == o.Controller && w.File == o.File && w.Value == o.Value
}

// UnsupportedError is a property that the host's version of cgroups cannot express, or whose controller the host does
// not have.
type UnsupportedError struct {
	Property string
	Mode     Mode
	Why      string
}

func (e *UnsupportedError) Error() string {
	return e.Property + " cannot be expressed on cgroup " + e.Mode.String() + ": " + e.Why
}

// Plan returns what must be written to a new group for the resources, in order. It is pure. For each controller it uses
// the files of the version that has the controller on this host; on a hybrid host that may be either. Device rules are
// in the plan only if there is a v1 hierarchy for them; otherwise they are a BPF program, which Group.Rule attaches.
//
// The error is an *UnsupportedError for a property that the host does not support. Any other error names a value that
// no kernel accepts, and wraps EINVAL.
func Plan(l *Layout, r *Resources) ([]Write, error) {
	p := &planner{layout: l, mode: l.Mode(), r: r}
	for _, part := range [...]struct {
		v1, v2 string // the controller's names
		plan   func(*planner) error
	}{
		{"memory", "memory", (*planner).memory}, {"cpu", "cpu", (*planner).cpu}, {"cpuset", "cpuset", (*planner).cpuset},
		{"pids", "pids", (*planner).pids},
		{"blkio", "io", (*planner).io}, {"hugetlb", "hugetlb", (*planner).hugetlb}, {"net_cls", "", (*planner).netClass},
		{"net_prio", "", (*planner).netPriorities},
		{"rdma", "rdma", (*planner).rdma}, {"misc", "misc", (*planner).misc}, {"dmem", "dmem", (*planner).dmem},
		{"devices", "", (*planner).devices},
	} {
		h := p.place(part.v1, part.v2)
		p.v2 = h != nil && h.V2 || h == nil && p.mode == V2
		before := len(p.writes)
		if err := part.plan(p); err != nil {
			return nil, err
		}
		if h == nil && len(p.writes) > before {
			return nil, p.noController(p.writes[before].File, part.v1)
		}
	}
	if err := p.unified(); err != nil {
		return nil, err
	}
	return p.writes, nil
}

// planner is the state of one call of Plan.
type planner struct {
	layout *Layout
	mode   Mode
	r      *Resources
	v2     bool // the current controller is one of v2
	writes []Write
}

// place returns the hierarchy that has a controller, by its names in v1 and v2; nil for none.
func (p *planner) place(v1, v2 string) *Hierarchy {
	for i := range p.layout.Hierarchies {
		if h := &p.layout.Hierarchies[i]; !h.V2 && slices.Contains(h.Controllers, v1) {
			return h
		}
	}
	for i := range p.layout.Hierarchies {
		// The controllers of a v2 hierarchy may be unknown; then the write to the group's file decides.
		if h := &p.layout.Hierarchies[i]; h.V2 && v2 != "" && (h.Available == nil || slices.Contains(h.Available, v2)) {
			return h
		}
	}
	return nil
}

func (p *planner) noController(property, controller string) error {
	return &UnsupportedError{property, p.mode, "no hierarchy of this host has the controller " + controller}
}

// unsupportedOnV2 returns the error for a property that only v1 has.
func (p *planner) unsupportedOnV2(property, why string) error {
	return &UnsupportedError{property, p.mode, why}
}

func (p *planner) add(controller, file, value string) {
	p.writes = append(p.writes, Write{Controller: controller, File: file, Value: value})
}

// addOr adds a write for kernels that have the file, and another for those that do not; if the second one is empty,
// those need none.
func (p *planner) addOr(first, second Write) {
	first.Else = &second
	p.writes = append(p.writes, first)
}

// invalid returns the error for a value that no kernel accepts.
func invalid(property, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", property, fmt.Sprintf(format, args...), unix.EINVAL)
}

// maxOr returns n in the form of v2 and of pids.max: a negative number is "max", no limit.
func maxOr(n int64) string {
	if n < 0 {
		return "max"
	}
	return itoa(n)
}

func itoa(n int64) string  { return strconv.FormatInt(n, 10) }
func utoa(n uint64) string { return strconv.FormatUint(n, 10) }
