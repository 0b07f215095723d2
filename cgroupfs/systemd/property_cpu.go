package systemd

import (
	"strconv"
	"strings"

	"github.com/handfast/handfast/cgroupfs"
)

// defaultPeriod is that of cpu.max and cpu.cfs_period_us in microseconds (kernel/sched/core.c, default_cfs_period).
const defaultPeriod = 100_000

// quotaStep is the unit to which systemd rounds a quota, in microseconds of each second: a hundredth
// (src/core/dbus-cgroup.c).
const quotaStep = 10_000

func (p *planner) cpu() error {
	r := p.r
	idle := r.CPUIdle != nil && *r.CPUIdle != 0
	switch {
	case !p.host.V2 && r.CPUShares != nil:
		p.add("CPUShares", uint64v(*r.CPUShares))
	case !p.host.V2:
	case idle && p.host.Version >= minIdle:
		p.add("CPUWeight", uint64v(0))
	case r.CPUShares != nil && !idle:
		p.add("CPUWeight", uint64v(cgroupfs.Weight(*r.CPUShares)))
	}
	period := uint64(defaultPeriod)
	if r.CPUPeriod != nil && *r.CPUPeriod != 0 {
		period = *r.CPUPeriod
		p.add("CPUQuotaPeriodUSec", uint64v(period))
	}
	switch q := r.CPUQuota; {
	case q == nil || *q == 0:
		return nil
	case *q < 0:
		return p.quota(infinity, period)
	default:
		return p.quota(uint64(*q), period)
	}
}

// quota converts microseconds in a period to microseconds in a second, rounded up to a multiple of quotaStep.
func (p *planner) quota(quota, period uint64) error {
	if quota == infinity {
		p.add("CPUQuotaPerSecUSec", uint64v(infinity))
		return nil
	}
	if period == 0 || quota > infinity/2_000_000 {
		return invalid("cpu quota %d in a period of %d microseconds", quota, period)
	}
	second := quota * 1_000_000 / period
	second = (second + quotaStep - 1) / quotaStep * quotaStep
	p.add("CPUQuotaPerSecUSec", uint64v(second))
	return nil
}

func (p *planner) cpuset() error {
	if !p.host.V2 {
		return nil // systemd does not manage v1's cpuset
	}
	return p.sets(p.r.Cpus, p.r.Mems, "cpus", "mems")
}

func (p *planner) sets(cpus, mems, cpusName, memsName string) error {
	for _, s := range [...]struct{ name, list, property string }{{cpusName, cpus, "AllowedCPUs"},
		{memsName, mems, "AllowedMemoryNodes"}} {
		if s.list == "" {
			continue
		}
		mask, err := bitmask(s.list)
		if err != nil {
			return invalid("%s: %v", s.name, err)
		}
		p.add(s.property, octets(mask))
	}
	return nil
}

// maxBit is the greatest number in a list: no kernel has more processors or memory nodes (CONFIG_NR_CPUS).
const maxBit = 8191

// bitmask converts a list such as 0-3,7 to bytes, with the lowest number in the lowest bit of the first byte. It also
// reads the kernel's lists with strides, 0-31:2/8 (Documentation/admin-guide/kernel-parameters.rst, "cpu lists").
func bitmask(list string) ([]byte, error) {
	var mask []byte
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		span, stride, strided := strings.Cut(part, ":")
		first, last, ranged := strings.Cut(span, "-")
		if !ranged {
			last = first
		}
		used, group := 1, 1
		if strided {
			u, g, ok := strings.Cut(stride, "/")
			if used, group = bit(u), bit(g); !ok || used < 1 || group < used {
				return nil, invalid("%q is not a stride of used/group", part)
			}
		}
		from, to := bit(first), bit(last)
		if from < 0 || to < from {
			return nil, invalid("%q is not a number or range of 0 to %d", part, maxBit)
		}
		for n := from; n <= to; n++ {
			if (n-from)%group >= used {
				continue
			}
			for len(mask) <= n/8 {
				mask = append(mask, 0)
			}
			mask[n/8] |= 1 << (n % 8)
		}
	}
	if len(mask) == 0 {
		return nil, invalid("%q is an empty list", list)
	}
	return mask, nil
}

// bit parses a number of a list; it returns -1 if that is not valid.
func bit(s string) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || n > maxBit {
		return -1
	}
	return int(n)
}
