package cgroupdriver

import (
	"fmt"
	"strings"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/cgroupfs/systemd"
)

// Plan says what a driver will do for one container.
type Plan struct {
	Place Place
	Path  string // the group's; empty: none is made
	// Settle delays the join until the process has started up. See SmallMemory.
	Settle bool

	Writes  []cgroupfs.Write // limits in the files of the group
	Devices []cgroupfs.DeviceRule
	Owner   int              // user id that is to own the group; 0: root, who owns it already
	Later   []cgroupfs.Write // limits that Finish sets

	Unit       systemd.Unit       // the unit that systemd makes; without a name: none
	Properties []systemd.Property // the unit's when it is made
	LaterProps []systemd.Property // that Finish sets

	Limits cgroupfs.Resources // the source of all of the above, to be stored
	Given  bool               // the path or a limit was requested: then it is an error if the group cannot be made
	named  bool               // the path was requested
}

// smallMemory is the limit in bytes below which the child itself, which needs one or two MiB to start up, would
// leave too little to the program.
const smallMemory = 8 << 20

// SmallMemory reports whether the limit of memory is less than the child itself needs until it executes the
// container's program. If so, the child begins outside of the group: memory is charged to the group in which it was
// first touched, and stays charged there (cgroup-v2.rst, "Memory Ownership").
func SmallMemory(limits *cgroupfs.Resources) bool {
	return limits.Memory != nil && *limits.Memory >= 0 && *limits.Memory < smallMemory
}

// SetsLimits reports whether any limit is set. Device rules do not count, because every client writes the same
// ones.
func SetsLimits(r *cgroupfs.Resources) bool {
	without := *r
	without.Devices = nil
	return !without.Empty()
}

// planNone returns the plan of a container without a group of its own, which cannot be limited by itself.
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

// planFilesystem decides what this program writes, and to which files.
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

// planSystemd decides what systemd sets and what this program sets besides. This program writes the same limits
// itself, for what systemd leaves alone. The unit can be made only once there is a process for it.
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

// planOf returns what the plans for both kinds of groups have in common.
func planOf(r Request, optional bool) *Plan {
	p := &Plan{Path: r.Path, Limits: r.Limits, Owner: max(r.Owner, 0), Given: r.PathGiven || SetsLimits(&r.Limits),
		named: r.PathGiven}
	if optional {
		// A plain user cannot create the device nodes that these rules would apply to, and may not set the rules.
		p.Limits.Devices = nil
	}
	p.Devices, p.Settle = p.Limits.Devices, SmallMemory(&p.Limits)
	return p
}

// splitTaskLimit separates the limit of tasks from the others: until the child executes the program it needs a few
// threads, while the program itself may need only one.
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

// String returns the plan with one line for each action, in order.
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
