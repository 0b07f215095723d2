package cgroupfs

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// UnsupportedError is a property that the host's version of cgroups cannot express.
type UnsupportedError struct {
	Property string
	Mode     Mode
	Why      string
}

func (e *UnsupportedError) Error() string {
	return e.Property + " cannot be expressed on cgroup " + e.Mode.String() + ": " + e.Why
}

// Plan is what must be written for the resources, in order. It is pure. Device rules on v2 are a program and not a write: they are not in the plan, and Group.Rule puts them in force.
func Plan(mode Mode, r *Resources) ([]Write, error) {
	p := &planner{mode: mode, r: r}
	if err := p.check(); err != nil {
		return nil, err
	}
	if mode == V2 {
		p.v2()
		return p.writes, nil
	}
	if err := p.v1(); err != nil {
		return nil, err
	}
	return p.writes, nil
}

type planner struct {
	mode   Mode
	r      *Resources
	writes []Write
}

func (p *planner) add(controller, file, value string) {
	p.writes = append(p.writes, Write{controller, file, value})
}

func (p *planner) check() error {
	r := p.r
	if r.Memory != nil && r.MemorySwap != nil && *r.MemorySwap >= 0 && (*r.Memory < 0 || *r.MemorySwap < *r.Memory) {
		return fmt.Errorf("memory and swap together of %d are below memory alone of %d", *r.MemorySwap, *r.Memory)
	}
	if p.mode == V2 {
		for _, u := range [...]struct {
			set           bool
			property, why string
		}{
			{r.DisableOOMKiller, "disableOOMKiller", "v2 always kills, and memory.oom.group says how many"},
			{r.Swappiness != nil, "swappiness", "v2 has no swappiness of a group"},
			{r.RTRuntime != nil || r.RTPeriod != nil, "real-time cpu", "v2 does not divide real-time"},
			{r.MemorySwap != nil && *r.MemorySwap >= 0 && r.Memory == nil, "memory and swap together", "without a memory limit v2 can limit swap alone only"},
		} {
			if u.set {
				return &UnsupportedError{u.property, p.mode, u.why}
			}
		}
		return checkUnified(r.Unified)
	}
	if len(r.Unified) > 0 {
		return &UnsupportedError{"unified", p.mode, "its files are those of v2"}
	}
	return nil
}

// checkUnified refuses names that are no plain file of the group: a slash would reach another group.
func checkUnified(list []Unified) error {
	for _, u := range list {
		if u.File == "" || strings.ContainsAny(u.File, "/\x00") || strings.HasPrefix(u.File, ".") || !strings.Contains(u.File, ".") {
			return fmt.Errorf("unified file %q is not the name of a controller's file", u.File)
		}
	}
	return nil
}

// v1 is the plan for controllers of v1.
func (p *planner) v1() error {
	r := p.r
	p.memoryV1()
	// Idle first: an idle group has no shares and refuses them (kernel/sched/fair.c, sched_group_set_shares).
	if r.CPUIdle != nil {
		p.add("cpu", "cpu.idle", itoa(*r.CPUIdle))
	}
	if r.CPUShares != nil && !idle(r) {
		p.add("cpu", "cpu.shares", utoa(*r.CPUShares))
	}
	// The period first: a quota is judged by the period that stands (kernel/sched/core.c, tg_set_cfs_bandwidth). Where a limited parent refuses the share between the two, Apply turns them around.
	if r.CPUPeriod != nil {
		p.add("cpu", "cpu.cfs_period_us", utoa(*r.CPUPeriod))
	}
	if r.CPUQuota != nil {
		p.add("cpu", "cpu.cfs_quota_us", itoa(*r.CPUQuota))
	}
	if r.CPUBurst != nil {
		p.add("cpu", "cpu.cfs_burst_us", utoa(*r.CPUBurst))
	}
	if r.RTPeriod != nil {
		p.add("cpu", "cpu.rt_period_us", utoa(*r.RTPeriod))
	}
	if r.RTRuntime != nil {
		p.add("cpu", "cpu.rt_runtime_us", itoa(*r.RTRuntime))
	}
	p.cpuset()
	if r.Pids != nil {
		p.add("pids", "pids.max", maxOr(*r.Pids))
	}
	return p.devicesV1()
}

// memoryV1 sets the limit of memory before that of memory and swap, which may not be the lower of the two at any time (mm/memcontrol-v1.c). A fresh
// group has neither; where a limit grows, Apply turns the two around.
func (p *planner) memoryV1() {
	r := p.r
	if r.Memory != nil {
		p.add("memory", "memory.limit_in_bytes", itoa(*r.Memory))
	}
	if r.MemorySwap != nil {
		p.add("memory", "memory.memsw.limit_in_bytes", itoa(*r.MemorySwap))
	}
	if r.MemoryReservation != nil {
		p.add("memory", "memory.soft_limit_in_bytes", itoa(*r.MemoryReservation))
	}
	if r.Swappiness != nil {
		p.add("memory", "memory.swappiness", utoa(*r.Swappiness))
	}
	if r.DisableOOMKiller {
		p.add("memory", "memory.oom_control", "1")
	}
}

func idle(r *Resources) bool { return r.CPUIdle != nil && *r.CPUIdle != 0 }

func (p *planner) cpuset() {
	if p.r.Cpus != "" {
		p.add("cpuset", "cpuset.cpus", p.r.Cpus)
	}
	if p.r.Mems != "" {
		p.add("cpuset", "cpuset.mems", p.r.Mems)
	}
}

func (d *DeviceRule) everything() bool {
	return (d.Type == "a" || d.Type == "") && d.Major == nil && d.Minor == nil && (len(d.Access) == 3 || d.Access == "")
}

func (d *DeviceRule) text() string {
	return d.Type + " " + number(d.Major) + ":" + number(d.Minor) + " " + d.Access
}

func number(n *int64) string {
	if n == nil {
		return "*"
	}
	return itoa(*n)
}

// v2 is the plan for the one hierarchy of v2.
func (p *planner) v2() {
	r := p.r
	if r.Memory != nil {
		p.add("memory", "memory.max", maxOr(*r.Memory))
	}
	if r.MemorySwap != nil {
		p.add("memory", "memory.swap.max", swapV2(r))
	}
	if r.MemoryReservation != nil {
		p.add("memory", "memory.low", maxOr(*r.MemoryReservation))
	}
	if r.CPUIdle != nil {
		p.add("cpu", "cpu.idle", itoa(*r.CPUIdle))
	}
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
	p.cpuset()
	if r.Pids != nil {
		p.add("pids", "pids.max", maxOr(*r.Pids))
	}
	for _, u := range r.Unified {
		controller, _, _ := strings.Cut(u.File, ".")
		p.add(controller, u.File, u.Value)
	}
}

// swapV2 is the limit of swap alone: v2 counts it apart from memory (cgroup-v2.rst, memory.swap.max).
func swapV2(r *Resources) string {
	if *r.MemorySwap < 0 || r.Memory == nil || *r.Memory < 0 {
		return "max"
	}
	return itoa(*r.MemorySwap - *r.Memory)
}

// Weight turns v1 shares, 2 to 262144 around 1024, into a v2 weight, 1 to 10000 around 100, by the curve through these three points that OCI runtimes agreed on in 2025
// (github.com/opencontainers/cgroups, ConvertCPUSharesToCgroupV2Value): 10^((l^2+125 l)/612 - 7/34), where l is the binary logarithm of the shares.
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

// maxOr is n as v2 and pids.max write it: a negative number is no limit.
func maxOr(n int64) string {
	if n < 0 {
		return "max"
	}
	return itoa(n)
}

func itoa(n int64) string  { return strconv.FormatInt(n, 10) }
func utoa(n uint64) string { return strconv.FormatUint(n, 10) }
