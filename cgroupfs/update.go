package cgroupfs

import (
	"math"
	"slices"
)

// Update is what must be written to a group that has the limits of old to lay change over them: the difference of two
// plans, in an order in which the kernel takes each write. It is pure. After it the group has the limits of
// old.Merge(change), and the same change once more is nothing to write.
//
//   - v1 refuses a limit of memory above that of memory and swap at any time (mm/memcontrol-v1.c): where the latter
//     grows it goes first, else second. v2 has two independent limits; there too what gives room goes first.
//   - A quota is judged by the period that stands, and v1 refuses a share of the processors above the parent's
//     (kernel/sched/core.c, tg_cfs_schedulable_down). A period that grows goes first and one that shrinks second: then
//     the share between the two is never above both the old and the new one. The same holds for real-time.
//   - A burst may not be above the quota at any time (tg_set_cfs_bandwidth): one that shrinks goes first, else last.
func Update(l *Layout, old, change *Resources) ([]Write, error) {
	next := old.Merge(change)
	was, err := planWithoutDevices(l, old)
	if err != nil {
		return nil, err
	}
	want, err := planWithoutDevices(l, next)
	if err != nil {
		return nil, err
	}
	diff := difference(was, want)
	order(diff, old, next)
	p := &planner{layout: l, mode: l.Mode(), r: next, writes: diff}
	if err := p.changeDevices(old.Devices, change.Devices); err != nil {
		return nil, err
	}
	return p.writes, nil
}

func planWithoutDevices(l *Layout, r *Resources) ([]Write, error) {
	without := *r
	without.Devices = nil
	return Plan(l, &without)
}

// difference is what want says and was does not. What follows a different write to the same place is written again, for
// it had the last word.
func difference(was, want []Write) []Write {
	var diff []Write
	for _, w := range want {
		again := slices.ContainsFunc(diff, func(d Write) bool { return d.place() == w.place() })
		if again || !slices.ContainsFunc(was, w.is) {
			diff = append(diff, w)
		}
	}
	return diff
}

// changeDevices plans the way from one list of v1 to another; no new rules leave the old ones.
func (p *planner) changeDevices(old, rules []DeviceRule) error {
	if len(rules) == 0 {
		return nil
	}
	if p.place("devices", "") == nil {
		return p.devices()
	}
	from, err := p.deviceList(old)
	if err != nil {
		return err
	}
	to, err := p.deviceList(rules)
	if err != nil {
		return err
	}
	p.devicesFrom(from, to)
	return nil
}

// What a fresh group has, in microseconds (kernel/sched/fair.c, default_bw_period_ns; kernel/sched/rt.c).
const (
	defaultPeriod   = 100000
	defaultRTPeriod = 1000000
)

// order puts files that bound each other in an order that the kernel takes all the way.
func order(writes []Write, old, next *Resources) {
	if above(limit(next.MemorySwap), limit(old.MemorySwap)) {
		first(writes, "memory.memsw.limit_in_bytes", "memory.limit_in_bytes")
	}
	if above(swapAlone(next), swapAlone(old)) {
		first(writes, "memory.swap.max", "memory.max")
	}
	if !above(count(next.CPUPeriod, defaultPeriod), count(old.CPUPeriod, defaultPeriod)) {
		first(writes, "cpu.cfs_quota_us", "cpu.cfs_period_us")
	}
	if !above(count(next.RTPeriod, defaultRTPeriod), count(old.RTPeriod, defaultRTPeriod)) {
		first(writes, "cpu.rt_runtime_us", "cpu.rt_period_us")
	}
	if above(count(old.CPUBurst, 0), count(next.CPUBurst, 0)) {
		first(writes, "cpu.cfs_burst_us", "cpu.cfs_quota_us", "cpu.cfs_period_us")
		first(writes, "cpu.max.burst", "cpu.max")
	}
}

func above(a, b uint64) bool { return a > b }

// limit is a limit as a number: none is above all.
func limit(n *int64) uint64 {
	if n == nil || *n < 0 {
		return math.MaxUint64
	}
	return uint64(*n)
}

// swapAlone is the limit of swap as v2 counts it.
func swapAlone(r *Resources) uint64 {
	if limit(r.MemorySwap) == math.MaxUint64 || limit(r.Memory) == math.MaxUint64 {
		return math.MaxUint64
	}
	return limit(r.MemorySwap) - limit(r.Memory)
}

func count(n *uint64, fresh uint64) uint64 {
	if n == nil {
		return fresh
	}
	return *n
}

// first moves the write to a file before those to others.
func first(writes []Write, file string, others ...string) {
	at := slices.IndexFunc(writes, func(w Write) bool { return w.File == file })
	to := slices.IndexFunc(writes, func(w Write) bool { return slices.Contains(others, w.File) })
	if at <= to || to < 0 {
		return
	}
	w := writes[at]
	copy(writes[to+1:at+1], writes[to:at])
	writes[to] = w
}
