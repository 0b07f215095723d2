package cgroupfs

import (
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Write is one value to be written to one file of the group. Controller is its v1 name, which also names the hierarchy,
// or the v2 controller; Value is written as it is.
type Write struct {
	Controller string
	File       string
	Value      string
	// what is written instead where this kernel does not have File; with an empty File there nothing is, for there is
	// nothing to limit
	Else *Write
}

// String is the write in one line.
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

// is reports whether two writes are the same.
func (w Write) is(o Write) bool {
	if w.Else != nil && o.Else != nil && !w.Else.is(*o.Else) || (w.Else == nil) != (o.Else == nil) {
		return false
	}
	return w.Controller == o.Controller && w.File == o.File && w.Value == o.Value
}

// UnsupportedError is a property that the host's version of cgroups cannot express, or that belongs to a controller
// which the host does not have.
type UnsupportedError struct {
	Property string
	Mode     Mode
	Why      string
}

func (e *UnsupportedError) Error() string {
	return e.Property + " cannot be expressed on cgroup " + e.Mode.String() + ": " + e.Why
}

// Plan is what must be written to a fresh group for the resources, in order. It is pure. Every controller gets the
// files of the version that has it on this host: on a hybrid one that may be either. Device rules without a hierarchy
// of v1 for them are a program and not a write: they are not in the plan, and Group.Rule puts them in force.
//
// The error is an *UnsupportedError for what the host cannot express; any other names a value that no kernel takes, and
// errors.Is finds EINVAL in it.
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
			return nil, p.missing(p.writes[before].File, part.v1)
		}
	}
	if err := p.unified(); err != nil {
		return nil, err
	}
	return p.writes, nil
}

// planner is one plan under way.
type planner struct {
	layout *Layout
	mode   Mode
	r      *Resources
	v2     bool // the controller that is planned for is one of v2
	writes []Write
}

// place is the hierarchy that has a controller, by its names in v1 and v2; nil for none.
func (p *planner) place(v1, v2 string) *Hierarchy {
	for i := range p.layout.Hierarchies {
		if h := &p.layout.Hierarchies[i]; !h.V2 && slices.Contains(h.Controllers, v1) {
			return h
		}
	}
	for i := range p.layout.Hierarchies {
		// What a v2 hierarchy has may be unknown; then the group's files will tell.
		if h := &p.layout.Hierarchies[i]; h.V2 && v2 != "" && (h.Available == nil || slices.Contains(h.Available, v2)) {
			return h
		}
	}
	return nil
}

func (p *planner) missing(property, controller string) error {
	return &UnsupportedError{property, p.mode, "no hierarchy of this host has the controller " + controller}
}

// without is the error for a property that only v1 has.
func (p *planner) without(property, why string) error {
	return &UnsupportedError{property, p.mode, why}
}

func (p *planner) add(controller, file, value string) {
	p.writes = append(p.writes, Write{Controller: controller, File: file, Value: value})
}

// addOr adds a write for kernels that have the file, and another for those that have not; an empty second one stands
// for nothing to do.
func (p *planner) addOr(first, second Write) {
	first.Else = &second
	p.writes = append(p.writes, first)
}

// invalid is the error for a value that no kernel takes.
func invalid(property, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", property, fmt.Sprintf(format, args...), unix.EINVAL)
}

// maxOr is n as v2 and pids.max write it: a negative number is no limit.
func maxOr(n int64) string {
	if n < 0 {
		return "max"
	}
	return itoa(n)
}

func itoa(n int64) string  { return strconv.FormatInt(n, 10) }
func utoa(n uint64) string { return strconv.FormatUint(n, 10) }
