package lifecycle

import (
	"math"

	"github.com/handfast/handfast/cgroupfs"
)

// statsData converts a group's statistics to the form and the conventions of runc: swap is the sum of memory and
// swap, as v1 counts it, and an unlimited number of tasks is 0.
func statsData(s *cgroupfs.Stats, interfaces []cgroupfs.NetworkInterface) statsJSON {
	out := statsJSON{CPU: cpuData(&s.CPU), CPUSet: cpusetData(&s.CPUSet), Memory: memoryData(&s.Memory),
		Blkio: blkioData(&s.IO), Hugetlb: map[string]hugetlbJSON{}}
	out.Pids = pidsJSON{s.Pids.Current, s.Pids.Limit}
	if s.Pids.Limit == cgroupfs.Unlimited {
		out.Pids.Limit = 0
	}
	for _, h := range s.Hugetlb {
		out.Hugetlb[h.Size] = hugetlbJSON{h.Usage, h.Max, h.Failcnt}
	}
	for _, n := range interfaces {
		if n.Name != "lo" { // loopback traffic does not count
			out.Interfaces = append(out.Interfaces, networkJSON(n))
		}
	}
	return out
}

func cpuData(c *cgroupfs.CPUStats) cpuJSON {
	var out cpuJSON
	out.Usage.Total, out.Usage.Kernel, out.Usage.User = c.Usage, c.System, c.User
	for _, p := range c.PerCPU {
		out.Usage.Percpu = append(out.Usage.Percpu, p.Usage)
		out.Usage.PercpuKernel = append(out.Usage.PercpuKernel, p.System)
		out.Usage.PercpuUser = append(out.Usage.PercpuUser, p.User)
	}
	out.Throttling.Periods, out.Throttling.ThrottledPeriods, out.Throttling.ThrottledTime = c.Periods, c.ThrottledPeriods,
		c.ThrottledTime
	out.PSI = psiData(&c.Pressure)
	return out
}

func cpusetData(c *cgroupfs.CPUSetStats) cpusetJSON {
	return cpusetJSON{
		CPUs: c.CPUs, CPUExclusive: c.CPUExclusive, Mems: c.Mems, MemHardwall: c.MemHardwall, MemExclusive: c.MemExclusive,
		MemoryMigrate:    c.MemoryMigrate,
		MemorySpreadPage: c.MemorySpreadPage, MemorySpreadSlab: c.MemorySpreadSlab, MemoryPressure: c.MemoryPressure,
		SchedLoadBalance: c.SchedLoadBalance, SchedRelaxDomainLevel: c.SchedRelaxDomainLevel,
	}
}

func memoryData(m *cgroupfs.MemoryStats) memoryJSON {
	usage := func(u cgroupfs.MemoryUsage) memoryUsageJSON {
		return memoryUsageJSON{u.Limit, u.Usage, u.Max, u.Failcnt}
	}
	out := memoryJSON{Cache: m.Cache, Usage: usage(m.Usage), Swap: usage(m.Swap), Kernel: usage(m.Kernel),
		KernelTCP: usage(m.KernelTCP), PSI: psiData(&m.Pressure)}
	if m.SwapAlone {
		// the maximum of the sum is not known
		out.Swap = memoryUsageJSON{Limit: sum(m.Usage.Limit, m.Swap.Limit), Usage: sum(m.Usage.Usage, m.Swap.Usage)}
	}
	if len(m.Stat) > 0 {
		out.Raw = make(map[string]uint64, len(m.Stat))
	}
	for _, c := range m.Stat {
		out.Raw[c.Name] = c.Value
	}
	return out
}

// sum saturates at the greatest value, which means that there is no limit.
func sum(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

func blkioData(s *cgroupfs.IOStats) blkioJSON {
	entries := func(all []cgroupfs.IOEntry) (out []blkioEntryJSON) {
		for _, e := range all {
			out = append(out, blkioEntryJSON(e))
		}
		return out
	}
	return blkioJSON{
		ServiceBytes: entries(s.Bytes), Serviced: entries(s.Operations), Queued: entries(s.Queued),
		ServiceTime: entries(s.ServiceTime), WaitTime: entries(s.WaitTime),
		Merged: entries(s.Merged), Time: entries(s.Time), Sectors: entries(s.Sectors), PSI: psiData(&s.Pressure),
	}
}

func psiData(p *cgroupfs.Pressure) *psiJSON {
	if !p.Known {
		return nil
	}
	return &psiJSON{Some: stallJSON(p.Some), Full: stallJSON(p.Full)}
}
