package cgroupfs

import "math"

// Unlimited is the value of a limit for which the kernel says "max". v1 shows a number near the greatest int64 instead,
// which is kept as it is.
const Unlimited = math.MaxUint64

// Stats are the statistics of a group, including the groups below it. Numbers that the kernel or its version of cgroups
// does not have are zero, and lists are empty. Reading into a Stats again reuses its memory: after the first few times
// nothing is allocated. The slices are valid until the next read.
type Stats struct {
	CPU     CPUStats
	CPUSet  CPUSetStats
	Memory  MemoryStats
	IO      IOStats
	Pids    PidsStats
	Hugetlb []HugetlbStats
	RDMA    []RDMAStats
	Misc    []MiscStats

	reader fileReader
}

// CPUStats are times in nanoseconds (v1 cpuacct.* and cpu.stat, v2 cpu.stat).
type CPUStats struct {
	Usage, User, System uint64
	PerCPU              []CPUTime // by processor; v1 only

	Periods, ThrottledPeriods uint64 // of the quota: that have passed, and in which it was used up
	ThrottledTime             uint64
	Bursts, BurstTime         uint64

	Pressure Pressure
}

// CPUTime is the time of one processor in nanoseconds.
type CPUTime struct{ Usage, User, System uint64 }

// CPUSetStats say where the group may run. v2 has only CPUs and Mems, as they are in effect.
type CPUSetStats struct {
	CPUs, Mems            []uint16
	CPUExclusive          uint64
	MemHardwall           uint64
	MemExclusive          uint64
	MemoryMigrate         uint64
	MemorySpreadPage      uint64
	MemorySpreadSlab      uint64
	MemoryPressure        uint64
	SchedLoadBalance      uint64
	SchedRelaxDomainLevel int64
}

// MemoryStats are in bytes.
type MemoryStats struct {
	Cache     uint64 // page cache
	Usage     MemoryUsage
	Swap      MemoryUsage // v1: of memory and swap together (memsw); v2: of swap alone
	SwapAlone bool        // Swap is swap alone
	Kernel    MemoryUsage // v2: only Usage, Linux 5.18
	KernelTCP MemoryUsage // v1 only
	Stat      []Counter   // memory.stat, in the kernel's order
	Events    MemoryEvents
	Pressure  Pressure
}

// MemoryUsage is one counter of memory: the present usage, the highest usage, the limit, and how often that was reached
// (v1 only).
type MemoryUsage struct{ Usage, Max, Limit, Failcnt uint64 }

// MemoryEvents count what happened at the limits (v2 memory.events; v1 has only OOMKill, in memory.oom_control).
type MemoryEvents struct{ Low, High, Max, OOM, OOMKill uint64 }

// Counter is a named number of the kernel.
type Counter struct {
	Name  string
	Value uint64
}

// IOStats are the traffic with block devices (v1 blkio.*, v2 io.stat).
type IOStats struct {
	Bytes, Operations []IOEntry // Op: Read, Write, Discard; on v1 also Sync, Async, Total
	// Of v1's schedulers only: queued requests, and the nanoseconds that requests took and waited.
	Queued, ServiceTime, WaitTime, Merged []IOEntry
	Time                                  []IOEntry // milliseconds of the device
	Sectors                               []IOEntry
	Pressure                              Pressure
}

// IOEntry is one counter of one device.
type IOEntry struct {
	Major, Minor uint64
	Op           string
	Value        uint64
}

// PidsStats count tasks. LimitHit is how often a fork failed at the limit.
type PidsStats struct{ Current, Limit, Peak, LimitHit uint64 }

// HugetlbStats are in bytes, for huge pages of one size. If the kernel counts reservations, they are the reservations.
type HugetlbStats struct {
	Size    string // as the files are named: 2MB, 1GB
	Usage   uint64
	Max     uint64 // v1 only
	Failcnt uint64
}

// RDMAStats are the objects of one RDMA device, and their limits.
type RDMAStats struct {
	Device                   string
	Handles, Objects         uint64
	HandleLimit, ObjectLimit uint64
}

// MiscStats are one resource of the controller misc. Events is how often its limit was reached.
type MiscStats struct {
	Name                 string
	Usage, Limit, Events uint64
}

// Pressure is pressure stall information (Documentation/accounting/psi.rst). It is zero if the kernel has none: without
// v2, or with psi=0.
type Pressure struct {
	Known bool
	Some  Stall // some task waited
	Full  Stall // every task that could run waited
}

// Stall is the share of time in percent over the last 10, 60 and 300 seconds, and the total in microseconds.
type Stall struct {
	Avg10, Avg60, Avg300 float64
	Total                uint64
}

// reset zeroes the numbers and keeps the memory.
func (s *Stats) reset() {
	io := &s.IO
	*s = Stats{
		CPU:     CPUStats{PerCPU: s.CPU.PerCPU[:0]},
		CPUSet:  CPUSetStats{CPUs: s.CPUSet.CPUs[:0], Mems: s.CPUSet.Mems[:0]},
		Memory:  MemoryStats{Stat: s.Memory.Stat[:0]},
		Hugetlb: s.Hugetlb[:0], RDMA: s.RDMA[:0], Misc: s.Misc[:0],
		IO: IOStats{
			Bytes: io.Bytes[:0], Operations: io.Operations[:0], Queued: io.Queued[:0], ServiceTime: io.ServiceTime[:0],
			WaitTime: io.WaitTime[:0],
			Merged:   io.Merged[:0], Time: io.Time[:0], Sectors: io.Sectors[:0],
		},
		reader: s.reader,
	}
}
