package oci

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/handfast/handfast/cgroupfs"
)

const resourcesAt = "linux.resources."

// limits is the state of planning linux.resources. In a new container, a value that requests nothing is left out.
// In an update, it may remove a limit.
type limits struct {
	out      cgroupfs.Resources
	update   bool
	pidsZero bool // zero is a limit of the tasks, as it is since version 1.3
	warnings []string
}

func (c *planner) resources() error {
	if c.linux.Resources == nil {
		return nil
	}
	l := limits{pidsZero: sinceMinor(c.spec.Version, 3)}
	if err := l.convert(c.linux.Resources); err != nil {
		return err
	}
	c.out.Resources = l.out
	for _, w := range l.warnings {
		c.warn(w)
	}
	return nil
}

// PlanUpdate decides what the resources of an update mean for a container whose configuration had the given
// ociVersion. It is pure. Properties that are absent, null or zero do not change, except for those in which zero
// removes a limit. The second result lists requests that have no effect, one line each. Every error is a
// *PropertyError.
func PlanUpdate(r *Resources, version string) (*cgroupfs.Resources, []string, error) {
	l := limits{update: true, pidsZero: sinceMinor(version, 3)}
	if err := l.convert(r); err != nil {
		return nil, nil, err
	}
	return &l.out, l.warnings, nil
}

// sinceMinor reports whether a version is 1.minor or later. It returns false for a version that it cannot parse.
func sinceMinor(version string, minor int) bool {
	rest, first := strings.CutPrefix(version, "1.")
	text, _, patch := strings.Cut(rest, ".")
	have, err := strconv.Atoi(text)
	return first && patch && err == nil && have >= minor
}

func (l *limits) convert(r *Resources) error {
	for _, part := range []func(*Resources) error{l.memory, l.cpu, l.pids, l.blockIO, l.hugepages, l.network, l.rdma,
		l.unified, l.idleAlone, l.deviceRules} {
		if err := part(r); err != nil {
			return err
		}
	}
	return nil
}

func (l *limits) memory(r *Resources) error {
	m, out := r.Memory, &l.out
	if m == nil {
		return nil
	}
	const at = resourcesAt + "memory."
	for _, one := range [...]struct {
		name string
		in   *int64
		into **int64
	}{{"limit", m.Limit, &out.Memory}, {"reservation", m.Reservation, &out.MemoryReservation},
		{"swap", m.Swap, &out.MemorySwap}} {
		if one.in == nil || *one.in == 0 { // clients write 0 for limits that they do not set
			continue
		}
		if *one.in < -1 {
			return wrong(at+one.name, "%d; want a number of bytes, or -1 for no limit", *one.in)
		}
		*one.into = one.in
	}
	if limit, swap := out.Memory, out.MemorySwap; limit != nil && swap != nil && *swap != -1 &&
		(*limit == -1 || *swap < *limit) {
		return wrong(at+"swap", "%d is below memory.limit %d; it counts memory and swap together", *swap, *limit)
	}
	if deref(m.Kernel) > 0 {
		out.KernelMemory = m.Kernel
		l.warnings = append(l.warnings, at+"kernel: Linux 6.1 and later take a limit of the kernel's memory alone without "+
			"effect")
	}
	if deref(m.KernelTCP) > 0 {
		out.KernelMemoryTCP = m.KernelTCP
	}
	if s := m.Swappiness; s != nil && *s > 100 {
		return wrong(at+"swappiness", "%d; want 0 to 100", *s)
	}
	out.Swappiness, out.UseHierarchy, out.CheckMemory = m.Swappiness, m.UseHierarchy, deref(m.CheckBeforeUpdate)
	if deref(m.DisableOOMKiller) || l.update {
		out.DisableOOMKiller = m.DisableOOMKiller
	}
	return nil
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func (l *limits) cpu(r *Resources) error {
	in, out := r.CPU, &l.out
	if in == nil {
		return nil
	}
	const at = resourcesAt + "cpu."
	if s := deref(in.Shares); s != 0 {
		// Like the kernel, use the nearest allowed value.
		s = min(max(s, 2), 262144)
		out.CPUShares = &s
	}
	if q := deref(in.Quota); q != 0 {
		if q < -1 || q > 0 && q < 1000 {
			return wrong(at+"quota", "%d; want at least 1000 microseconds, or -1 for no limit", q)
		}
		out.CPUQuota = in.Quota
	}
	if p := deref(in.Period); p != 0 {
		if p < 1000 || p > 1_000_000 {
			return wrong(at+"period", "%d; want 1000 to 1000000 microseconds", p)
		}
		out.CPUPeriod = in.Period
	}
	if in.Idle != nil && *in.Idle != 0 && *in.Idle != 1 {
		return wrong(at+"idle", "%d; want 0 or 1", *in.Idle)
	}
	out.CPUBurst, out.CPUIdle = in.Burst, in.Idle
	if deref(in.RealtimeRuntime) != 0 {
		out.RTRuntime = in.RealtimeRuntime
	}
	if deref(in.RealtimePeriod) != 0 {
		out.RTPeriod = in.RealtimePeriod
	}
	for _, list := range [...]struct {
		name, in string
		into     *string
	}{{"cpus", in.Cpus, &out.Cpus}, {"mems", in.Mems, &out.Mems}} {
		if strings.Trim(list.in, "0123456789,-: /") != "" {
			return wrong(at+list.name, "%q; want a list of numbers such as 0-3,7", list.in)
		}
		*list.into = list.in
	}
	return nil
}

// pids converts the limit of tasks. Before version 1.3 of the specification, zero means no limit, and clients that
// write it mean that. Since version 1.3 it is a limit, which becomes one task: systemd has no TasksMax of zero, so
// runc uses one with either manager.
func (l *limits) pids(r *Resources) error {
	if r.Pids == nil || r.Pids.Limit == nil {
		return nil
	}
	limit := *r.Pids.Limit
	switch {
	case limit < 0, limit == 0 && !l.pidsZero:
		limit = -1
	case limit == 0:
		limit = 1
	}
	l.out.Pids = &limit
	return nil
}

// idleAlone removes weights that conflict with idle. An idle group has the smallest weight, and the kernel refuses
// to set another one (kernel/sched/fair.c, sched_group_set_shares). As with runc under systemd, idle has
// precedence over a weight, with a warning. The shares apply when an update ends idle; until then package cgroupfs
// leaves them out.
func (l *limits) idleAlone(*Resources) error {
	idle, at := deref(l.out.CPUIdle) != 0, "cpu.idle"
	for _, u := range l.out.Unified {
		if u.File == "cpu.idle" {
			idle, at = strings.TrimSpace(u.Value) != "0", "unified cpu.idle"
		}
	}
	if !idle {
		return nil
	}
	both := func(what string) {
		l.warnings = append(l.warnings, "linux.resources: unable to apply both "+what+" and "+at+", ignoring "+what)
	}
	if l.out.CPUShares != nil {
		both("cpu.shares")
	}
	l.out.Unified = slices.DeleteFunc(l.out.Unified, func(u cgroupfs.Unified) bool {
		weight := u.File == "cpu.weight" || u.File == "cpu.weight.nice"
		if weight {
			both("unified " + u.File)
		}
		return weight
	})
	return nil
}

func (l *limits) unified(r *Resources) error {
	for _, file := range slices.Sorted(maps.Keys(r.Unified)) {
		// The name must have no slash, which would lead out of the group. The files cgroup.* control the group
		// itself, which is the runtime's task.
		controller, rest, _ := strings.Cut(file, ".")
		if strings.Contains(file, "/") || controller == "" || rest == "" || controller == "cgroup" {
			return wrong(resourcesAt+"unified", "%q; want the name of a controller's file such as memory.high", file)
		}
		l.out.Unified = append(l.out.Unified, cgroupfs.Unified{File: file, Value: r.Unified[file]})
	}
	return nil
}
