package cgroupfs

import (
	"math"
	"slices"
)

// Update returns what must be written to a group with the limits of old to apply change: the difference of two plans,
// in an order in which the kernel accepts each write. It is pure. Afterwards the group has the limits of
// old.Merge(change), and the same change again needs no write.
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
	orderLimits(diff, old, next)
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

// difference returns the writes of want that are not in was. It also keeps a write that follows a different one to the
// same place, because the later one must win.
func difference(was, want []Write) []Write {
	var diff []Write
	for _, w := range want {
		again := slices.ContainsFunc(diff, func(d Write) bool { return d.place() == w.place() })
		if again || !slices.ContainsFunc(was, w.equal) {
			diff = append(diff, w)
		}
	}
	return diff
}

// changeDevices plans the change from the old v1 device rules to new ones; without new rules the old ones stay.
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

// The periods of a new group, in microseconds (kernel/sched/fair.c, default_bw_period_ns; kernel/sched/rt.c).
const (
	defaultPeriod   = 100000
	defaultRTPeriod = 1000000
)

// orderLimits sorts writes to files that limit each other, so that the kernel accepts each of them.
func orderLimits(writes []Write, old, next *Resources) {
	if limitOrMax(next.MemorySwap) > limitOrMax(old.MemorySwap) {
		moveBefore(writes, "memory.memsw.limit_in_bytes", "memory.limit_in_bytes")
	}
	if swapAlone(next) > swapAlone(old) {
		moveBefore(writes, "memory.swap.max", "memory.max")
	}
	if valueOr(next.CPUPeriod, defaultPeriod) <= valueOr(old.CPUPeriod, defaultPeriod) {
		moveBefore(writes, "cpu.cfs_quota_us", "cpu.cfs_period_us")
	}
	if valueOr(next.RTPeriod, defaultRTPeriod) <= valueOr(old.RTPeriod, defaultRTPeriod) {
		moveBefore(writes, "cpu.rt_runtime_us", "cpu.rt_period_us")
	}
	if valueOr(old.CPUBurst, 0) > valueOr(next.CPUBurst, 0) {
		moveBefore(writes, "cpu.cfs_burst_us", "cpu.cfs_quota_us", "cpu.cfs_period_us")
		moveBefore(writes, "cpu.max.burst", "cpu.max")
	}
}

// limitOrMax returns a limit as a number, which is the greatest if there is none.
func limitOrMax(n *int64) uint64 {
	if n == nil || *n < 0 {
		return math.MaxUint64
	}
	return uint64(*n)
}

// swapAlone returns the limit of swap alone, as v2 counts it.
func swapAlone(r *Resources) uint64 {
	if limitOrMax(r.MemorySwap) == math.MaxUint64 || limitOrMax(r.Memory) == math.MaxUint64 {
		return math.MaxUint64
	}
	return limitOrMax(r.MemorySwap) - limitOrMax(r.Memory)
}

func valueOr(n *uint64, fresh uint64) uint64 {
	if n == nil {
		return fresh
	}
	return *n
}

// moveBefore moves the write to a file before those to others.
func moveBefore(writes []Write, file string, others ...string) {
	at := slices.IndexFunc(writes, func(w Write) bool { return w.File == file })
	to := slices.IndexFunc(writes, func(w Write) bool { return slices.Contains(others, w.File) })
	if at <= to || to < 0 {
		return
	}
	w := writes[at]
	copy(writes[to+1:at+1], writes[to:at])
	writes[to] = w
}
