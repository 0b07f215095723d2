package cgroupdriver

import (
	"fmt"
	"strings"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/cgroupfs/systemd"
)

// Plan is what a driver will do for one container.
type Plan struct {
	Place Place
	Path  string // of the group; empty: none is made
	// Settle: the process is left alone until it has begun its life, and joins the group then. See SmallMemory.
	Settle bool

	Writes  []cgroupfs.Write // limits in the files of the group
	Devices []cgroupfs.DeviceRule
	Owner   int              // user id that is to own the group; 0: root, who does already
	Later   []cgroupfs.Write // limits that Finish sets

	Unit       systemd.Unit       // that systemd makes; without a name: none
	Properties []systemd.Property // of the unit when it is made
	LaterProps []systemd.Property // that Finish sets

	Limits cgroupfs.Resources // what all of that comes from, to be stored
	Given  bool               // the path or a limit was requested: then it is an error if the group cannot be made
	named  bool               // the path was
}

// smallMemory is the limit in bytes below which the child itself, which needs one or two MiB to begin its life, would
// leave the program too little.
const smallMemory = 8 << 20

// SmallMemory says whether the limit of memory is less than the child itself needs until it executes the container's
// program. Then the child begins outside of the group: memory is charged where it was touched first and stays so
// (cgroup-v2.rst, "Memory Ownership").
func SmallMemory(limits *cgroupfs.Resources) bool {
	return limits.Memory != nil && *limits.Memory >= 0 && *limits.Memory < smallMemory
}

// SetsLimits says whether any limit is set. Rules about devices do not count, for every client writes the same
// ones.
func SetsLimits(r *cgroupfs.Resources) bool {
	without := *r
	without.Devices = nil
	return !without.Empty()
}

// planNone is the plan of a container without a group of its own, which nothing can limit alone.
func planNone(r Request) (*Plan, error) {
	if SetsLimits(&r.Limits) {
		return nil, errNoGroup()
	}
	return &Plan{Place: Stays}, nil
}

func errNoGroup() error {
	return fmt.Errorf("linux.resources: limits need a cgroup, and with --cgroup-manager %s none is made: leave them out",
		None)
}

// planFilesystem decides what this program writes where.
func planFilesystem(l *cgroupfs.Layout, r Request, optional bool) (*Plan, error) {
	p := planOf(r, optional)
	writes, err := cgroupfs.Plan(l, &p.Limits)
	if err != nil {
		return nil, inConfig("invalid configuration: %w", err)
	}
	p.Writes, p.Later = splitTaskLimit(writes)
	p.Place = Begins
	if p.Settle {
		p.Place = Joins
	}
	return p, nil
}

// planSystemd decides what systemd sets, and what this program sets besides: the same limits, for what systemd leaves
// alone. The unit can be made only when there is a process for it.
func planSystemd(host systemd.Host, l *cgroupfs.Layout, r Request, optional bool) (*Plan, error) {
	p := planOf(r, optional)
	p.Place, p.Unit = Joins, r.Unit
	all, err := host.Plan(&p.Limits)
	if err != nil {
		return nil, inConfig("linux.resources: %w", err)
	}
	writes, err := cgroupfs.Plan(l, &p.Limits)
	if err != nil {
		return nil, inConfig("linux.resources: %w", err)
	}
	extra, err := systemd.FromAnnotations(r.Annotations)
	if err != nil {
		return nil, inConfig("%w", err)
	}
	p.Writes, p.Later = splitTaskLimit(writes)
	for _, prop := range all {
		if prop.Name == "TasksMax" { // as in splitTaskLimit
			p.LaterProps = append(p.LaterProps, prop)
		} else {
			p.Properties = append(p.Properties, prop)
		}
	}
	p.Properties = append(p.Properties, extra...)
	return p, nil
}

// planOf is what the plans of both kinds of groups have in common.
func planOf(r Request, optional bool) *Plan {
	p := &Plan{Path: r.Path, Limits: r.Limits, Owner: max(r.Owner, 0), Given: r.PathGiven || SetsLimits(&r.Limits),
		named: r.PathGiven}
	if optional {
		// A plain user can make no device node that these rules would be about, and may not set them.
		p.Limits.Devices = nil
	}
	p.Devices, p.Settle = p.Limits.Devices, SmallMemory(&p.Limits)
	return p
}

// splitTaskLimit keeps the limit of tasks apart: the child needs a few threads until it executes the program, which
// needs perhaps one.
func splitTaskLimit(writes []cgroupfs.Write) (now, later []cgroupfs.Write) {
	for _, w := range writes {
		if w.File == "pids.max" {
			later = append(later, w)
		} else {
			now = append(now, w)
		}
	}
	return now, later
}

// String is the plan in one line for each thing that is done, in order.
func (p *Plan) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	writes := func(all []cgroupfs.Write) {
		for _, w := range all {
			line("  %s", w)
		}
	}
	properties := func(all []systemd.Property) {
		for _, prop := range all {
			line("  %s", prop)
		}
	}
	if p.Path == "" {
		line("no group")
		return b.String()
	}
	line("group %s", p.Path)
	if p.Unit.Name != "" {
		line("unit %s in slice %q", p.Unit.Name, p.Unit.Slice)
	}
	properties(p.Properties)
	writes(p.Writes)
	if n := len(p.Devices); n > 0 {
		line("  %d rules about devices", n)
	}
	if p.Owner > 0 {
		line("  owned by %d", p.Owner)
	}
	line("process %s, settled first: %t", p.Place, p.Settle)
	if len(p.LaterProps)+len(p.Later) > 0 {
		line("when it is ready")
		properties(p.LaterProps)
		writes(p.Later)
	}
	return b.String()
}
