package cgroupfs

import "math"

func (p *planner) cpu() error {
	r := p.r
	if r.CPUIdle != nil && *r.CPUIdle != 0 && *r.CPUIdle != 1 {
		return invalid("cpu idle", "%d; want 0 or 1", *r.CPUIdle)
	}
	// kernel/sched/core.c, tg_set_cfs_bandwidth.
	if r.CPUBurst != nil && r.CPUQuota != nil && *r.CPUQuota >= 0 && *r.CPUBurst > uint64(*r.CPUQuota) {
		return invalid("cpu burst", "%d is more than the quota of %d", *r.CPUBurst, *r.CPUQuota)
	}
	if p.v2 {
		return p.cpuV2()
	}
	p.cpuV1()
	return nil
}

func (p *planner) cpuV1() {
	r := p.r
	p.idle()
	if r.CPUShares != nil && !idle(r) {
		p.add("cpu", "cpu.shares", utoa(*r.CPUShares))
	}
	// The period comes first: the kernel checks a quota against the current period (kernel/sched/core.c,
	// tg_set_cfs_bandwidth), and a new group has no quota. Update orders the two by their present values.
	for _, w := range [...]struct {
		file  string
		value *uint64
	}{{"cpu.cfs_period_us", r.CPUPeriod}, {"cpu.cfs_quota_us", unsigned(r.CPUQuota)}, {"cpu.cfs_burst_us", r.CPUBurst},
		{"cpu.rt_period_us", r.RTPeriod}, {"cpu.rt_runtime_us", unsigned(r.RTRuntime)}} {
		if w.value != nil {
			p.add("cpu", w.file, itoa(int64(*w.value)))
		}
	}
}

// unsigned returns the same bits, so that one table can hold signed and unsigned values.
func unsigned(n *int64) *uint64 {
	if n == nil {
		return nil
	}
	u := uint64(*n)
	return &u
}

func (p *planner) cpuV2() error {
	r := p.r
	if r.RTRuntime != nil || r.RTPeriod != nil {
		return p.unsupportedOnV2("real-time cpu", "v2 does not distribute real-time")
	}
	p.idle()
	if r.CPUShares != nil && !idle(r) {
		p.add("cpu", "cpu.weight", utoa(Weight(*r.CPUShares)))
	}
	if r.CPUQuota != nil || r.CPUPeriod != nil {
		value := "max"
		if r.CPUQuota != nil {
			value = maxOr(*r.CPUQuota)
		}
		if r.CPUPeriod != nil {
			value += " " + utoa(*r.CPUPeriod)
		}
		p.add("cpu", "cpu.max", value)
	}
	if r.CPUBurst != nil {
		p.add("cpu", "cpu.max.burst", utoa(*r.CPUBurst))
	}
	return nil
}

// idle comes before the shares, which an idle group refuses (kernel/sched/fair.c, sched_group_set_shares).
func (p *planner) idle() {
	if p.r.CPUIdle != nil {
		p.add("cpu", "cpu.idle", itoa(*p.r.CPUIdle))
	}
}

func idle(r *Resources) bool { return r.CPUIdle != nil && *r.CPUIdle != 0 }

func (p *planner) cpuset() error {
	if p.r.Cpus != "" {
		p.add("cpuset", "cpuset.cpus", p.r.Cpus)
	}
	if p.r.Mems != "" {
		p.add("cpuset", "cpuset.mems", p.r.Mems)
	}
	return nil
}

// Weight converts v1 shares (2 to 262144, default 1024) to a v2 weight (1 to 10000, default 100), by the curve through
// these three points that OCI runtimes agreed on in 2025 (github.com/opencontainers/cgroups,
// ConvertCPUSharesToCgroupV2Value): 10^((l^2+125 l)/612 - 7/34), where l is the binary logarithm of the shares.
func Weight(shares uint64) uint64 {
	switch {
	case shares <= 2:
		return 1
	case shares >= 262144:
		return 10000
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
}
