package oci

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// tuning converts the properties that change how the kernel treats the process. They are properties of the
// process, and those properties of the container that apply to each of its processes.
func (c *planner) tuning(p *Process) error {
	for _, part := range []func(*Process) error{c.scheduler, c.ioPriority, c.affinity} {
		if err := part(p); err != nil {
			return err
		}
	}
	return nil
}

// constants are the names of a property's values and their numbers.
type constants []struct {
	name  string
	value uint64
}

func (n constants) find(name string) (uint64, bool) {
	for _, e := range n {
		if e.name == name {
			return e.value, true
		}
	}
	return 0, false
}

func (n constants) names() (all []string) {
	for _, e := range n {
		all = append(all, e.name)
	}
	return all
}

func (n constants) String() string {
	var b strings.Builder
	for i, e := range n {
		switch {
		case i > 0 && i == len(n)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(e.name)
	}
	return b.String()
}

// join combines the flags into one number.
func (n constants) join(at string, flags []string) (bits uint64, err error) {
	for i, f := range flags {
		bit, known := n.find(f)
		if !known {
			return 0, wrong(fmt.Sprintf("%s[%d]", at, i), "%q is not known; want %s", f, n)
		}
		bits |= bit
	}
	return bits, nil
}

// Policies and flags in <linux/sched.h>.
const (
	schedOther    = 0
	schedFIFO     = 1
	schedRR       = 2
	schedBatch    = 3
	schedIdle     = 5
	schedDeadline = 6

	schedResetOnFork = 0x01
)

var schedulerPolicies = constants{
	{"SCHED_OTHER", schedOther}, {"SCHED_FIFO", schedFIFO}, {"SCHED_RR", schedRR}, {"SCHED_BATCH", schedBatch},
	{"SCHED_IDLE", schedIdle}, {"SCHED_DEADLINE", schedDeadline},
}

var schedulerFlags = constants{
	{"SCHED_FLAG_RESET_ON_FORK", schedResetOnFork}, {"SCHED_FLAG_RECLAIM", 0x02}, {"SCHED_FLAG_DL_OVERRUN", 0x04},
	{"SCHED_FLAG_KEEP_POLICY", 0x08}, {"SCHED_FLAG_KEEP_PARAMS", 0x10}, {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
	{"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40},
}

func (c *planner) scheduler(p *Process) error {
	const at = "process.scheduler"
	s := p.Scheduler
	if s == nil {
		return nil
	}
	policy, known := schedulerPolicies.find(s.Policy)
	switch {
	case s.Policy == "":
		return wrong(at+".policy", "missing: the scheduler policy is required; want %s", schedulerPolicies)
	case s.Policy == "SCHED_ISO":
		return wrong(at+".policy", "%q is a name that no kernel carries out, sched(7); want %s", s.Policy, schedulerPolicies)
	case !known:
		return wrong(at+".policy", "invalid scheduler policy %q; want %s", s.Policy, schedulerPolicies)
	}
	flags, err := schedulerFlags.join(at+".flags", s.Flags)
	if err != nil {
		return err
	}
	if err := checkScheduler(at, s, policy); err != nil {
		return err
	}
	inside := c.spec.Hooks != nil && len(c.spec.Hooks.StartContainer) > 0
	if policy == schedDeadline && flags&schedResetOnFork == 0 && inside {
		return wrong(at+".flags", "SCHED_DEADLINE without SCHED_FLAG_RESET_ON_FORK: a process of that policy may make "+
			"no other, sched(7), and hooks.startContainer would be others")
	}
	c.cfg.Process.Scheduler = &container.Scheduler{
		Policy: uint32(policy), Flags: flags, Nice: int32(s.Nice), Priority: uint32(s.Priority), Runtime: s.Runtime,
		Deadline: s.Deadline, Period: s.Period,
	}
	return nil
}

// checkScheduler refuses values that the policy does not have, and those for which the kernel would return a bare
// EINVAL.
func checkScheduler(at string, s *Scheduler, policy uint64) error {
	realtime := policy == schedFIFO || policy == schedRR
	switch {
	case s.Nice < -20 || s.Nice > 19:
		return wrong(at+".nice", "invalid scheduler.nice: %d; want -20 to 19", s.Nice)
	case !realtime && s.Priority != 0:
		return wrong(at+".priority", "%d: scheduler.priority can only be specified for SCHED_FIFO or SCHED_RR, not for %s",
			s.Priority, s.Policy)
	case realtime && (s.Priority < 1 || s.Priority > 99):
		return wrong(at+".priority", "%d; want 1 to 99 for %s", s.Priority, s.Policy)
	case policy != schedDeadline && (s.Runtime != 0 || s.Deadline != 0 || s.Period != 0):
		return wrong(at, "runtime, deadline and period can only be specified for SCHED_DEADLINE, not for %s", s.Policy)
	case policy != schedDeadline:
		return nil
	}
	// See __checkparam_dl in kernel/sched/deadline.c.
	period := s.Period
	if period == 0 {
		period = s.Deadline
	}
	if s.Runtime < 1024 || s.Runtime > s.Deadline || s.Deadline > period || period >= 1<<63 {
		return wrong(at, "runtime %d, deadline %d, period %d; want at least 1024 nanoseconds of runtime, "+
			"runtime <= deadline <= period, and a period of 0 for that of the deadline", s.Runtime, s.Deadline, s.Period)
	}
	return nil
}

// ioClasses are the classes in <linux/ioprio.h>.
var ioClasses = constants{{"IOPRIO_CLASS_RT", 1}, {"IOPRIO_CLASS_BE", 2}, {"IOPRIO_CLASS_IDLE", 3}}

func (c *planner) ioPriority(p *Process) error {
	if p.IOPriority == nil {
		return nil
	}
	class, known := ioClasses.find(p.IOPriority.Class)
	if !known {
		return wrong("process.ioPriority.class", "invalid ioPriority.Class: %q; want %s", p.IOPriority.Class, ioClasses)
	}
	level := p.IOPriority.Priority
	if level < 0 || level > 7 {
		return wrong("process.ioPriority.priority", "invalid ioPriority.Priority: %d; want 0 to 7", level)
	}
	c.cfg.Process.IOPriority = uint32(class)<<13 | uint32(level)
	return nil
}

// affinity applies only to processes that join. For the container's first process it is only checked (config.md:
// "not applicable to the container's init process").
func (c *planner) affinity(p *Process) error {
	if p.ExecCPUAffinity == nil {
		return nil
	}
	initial, err := list("process.execCPUAffinity.initial", p.ExecCPUAffinity.Initial, mostProcessor)
	if err != nil {
		return err
	}
	final, err := list("process.execCPUAffinity.final", p.ExecCPUAffinity.Final, mostProcessor)
	if err == nil && c.joins {
		c.out.Spawn.Affinity, c.cfg.Process.Processors = initial, final
	}
	return err
}

// The highest numbers that a kernel can have: NR_CPUS in arch/x86/Kconfig, and 1 << NODES_SHIFT.
const (
	mostProcessor = 8191
	mostNode      = 1023
)

// list parses numbers and ranges separated by commas, in the format of cpuset(7).
func list(at, text string, most uint64) ([]uint32, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var out []uint32
	for _, part := range strings.Split(text, ",") {
		first, last, ranged := strings.Cut(strings.TrimSpace(part), "-")
		from, err := strconv.ParseUint(first, 10, 32)
		to := from
		if err == nil && ranged {
			to, err = strconv.ParseUint(last, 10, 32)
		}
		if err != nil || from > to {
			return nil, wrong(at, "%q; want a list of numbers such as 0-3,7", text)
		}
		if to > most {
			return nil, wrong(at, "%q: %d is beyond the highest that a kernel can have, %d", text, to, most)
		}
		for n := from; n <= to; n++ {
			out = append(out, uint32(n))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// personality converts the domain. The specification defines no names for flags, so flags are ignored, as with
// runc.
func (c *planner) personality() error {
	p := c.linux.Personality
	if p == nil {
		return nil
	}
	domain, known := constants{{"LINUX", 0}, {"LINUX32", 8}}.find(p.Domain) // PER_* in <linux/personality.h>
	if !known {
		return wrong("linux.personality.domain", "invalid personality domain %q; want LINUX or LINUX32", p.Domain)
	}
	if len(p.Flags) > 0 {
		c.warn(fmt.Sprintf("linux.personality.flags: %s: the specification knows no flags; they have no effect",
			strings.Join(p.Flags, ", ")))
	}
	c.cfg.Process.Personality = &domain
	return nil
}

var memoryModes = constants{
	{"MPOL_DEFAULT", unix.MPOL_DEFAULT}, {"MPOL_BIND", unix.MPOL_BIND}, {"MPOL_INTERLEAVE", unix.MPOL_INTERLEAVE},
	{"MPOL_WEIGHTED_INTERLEAVE", unix.MPOL_WEIGHTED_INTERLEAVE}, {"MPOL_PREFERRED", unix.MPOL_PREFERRED},
	{"MPOL_PREFERRED_MANY", unix.MPOL_PREFERRED_MANY}, {"MPOL_LOCAL", unix.MPOL_LOCAL},
}

var memoryFlags = constants{
	{"MPOL_F_NUMA_BALANCING", unix.MPOL_F_NUMA_BALANCING}, {"MPOL_F_RELATIVE_NODES", unix.MPOL_F_RELATIVE_NODES},
	{"MPOL_F_STATIC_NODES", unix.MPOL_F_STATIC_NODES},
}

func (c *planner) memoryPolicy() error {
	const at = "linux.memoryPolicy"
	p := c.linux.MemoryPolicy
	if p == nil {
		return nil
	}
	mode, known := memoryModes.find(p.Mode)
	if !known {
		return wrong(at+".mode", "invalid memory policy mode %q; want %s", p.Mode, memoryModes)
	}
	nodes, err := list(at+".nodes", p.Nodes, mostNode)
	if err != nil {
		return fmt.Errorf("%w (invalid memory policy node)", err)
	}
	flags, err := memoryFlags.join(at+".flags", p.Flags)
	if err != nil {
		return fmt.Errorf("%w (invalid memory policy flag)", err)
	}
	if err := checkMemory(at, p, mode, flags, len(nodes)); err != nil {
		return err
	}
	c.cfg.Process.MemoryPolicy = &container.MemoryPolicy{Mode: uint32(mode), Flags: uint32(flags), Nodes: nodes}
	return nil
}

// checkMemory refuses values for which the kernel would return a bare EINVAL (mm/mempolicy.c, mpol_new and
// sanitize_mpol_flags).
func checkMemory(at string, p *MemoryPolicy, mode, flags uint64, nodes int) error {
	const perNode = unix.MPOL_F_RELATIVE_NODES | unix.MPOL_F_STATIC_NODES
	none := mode == unix.MPOL_DEFAULT || mode == unix.MPOL_LOCAL
	switch {
	case none && nodes > 0:
		return wrong(at+".nodes", "%q: memory policy %s takes no nodes: mode requires 0 nodes but got %d", p.Nodes, p.Mode,
			nodes)
	case !none && mode != unix.MPOL_PREFERRED && nodes == 0:
		return wrong(at+".nodes", "%q: memory policy %s takes at least one node", p.Nodes, p.Mode)
	case flags&perNode == perNode:
		return wrong(at+".flags", "MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other")
	case flags&perNode != 0 && nodes == 0:
		return wrong(at+".flags", "%s: they are about nodes, and there are none", strings.Join(p.Flags, ", "))
	case flags&unix.MPOL_F_NUMA_BALANCING != 0 && mode != unix.MPOL_BIND && mode != unix.MPOL_PREFERRED_MANY:
		return wrong(at+".flags", "MPOL_F_NUMA_BALANCING is for MPOL_BIND and MPOL_PREFERRED_MANY, not for %s", p.Mode)
	}
	return nil
}
