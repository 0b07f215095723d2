package cgroupfs

// source is a file that a Stats is read from: its controller, its name, and the function that parses it.
type source struct {
	controller string // empty: v2's own, whatever controllers are enabled
	file       string // ends with a zero byte, for the system call
	size       string // of huge pages, for their files
	take       func(s *Stats, b []byte, size string) error
}

// numberFile returns a source for a file of one number, which is stored in a field.
func numberFile(controller, file string, field func(*Stats) *uint64) source {
	return source{controller: controller, file: file + "\x00", take: func(s *Stats, b []byte, _ string) (err error) {
		*field(s), err = oneNumber(b)
		return err
	}}
}

func textFile(controller, file string, take func(*Stats, []byte, string) error) source {
	return source{controller: controller, file: file + "\x00", take: take}
}

// sourcesV1 returns the files of v1 (Documentation/admin-guide/cgroup-v1); pages are the sizes of huge pages.
func sourcesV1(pages []string) []source {
	all := []source{
		numberFile("cpuacct", "cpuacct.usage", func(s *Stats) *uint64 { return &s.CPU.Usage }),
		textFile("cpuacct", "cpuacct.stat", cpuacctStat),
		textFile("cpuacct", "cpuacct.usage_percpu", cpuacctPerCPU),
		textFile("cpuacct", "cpuacct.usage_all", cpuacctAll),
		textFile("cpu", "cpu.stat", cpuStat),
		textFile("cpuset", "cpuset.cpus", allowedCPUs), textFile("cpuset", "cpuset.mems", allowedMems),
		numberFile("cpuset", "cpuset.cpu_exclusive", func(s *Stats) *uint64 { return &s.CPUSet.CPUExclusive }),
		numberFile("cpuset", "cpuset.mem_hardwall", func(s *Stats) *uint64 { return &s.CPUSet.MemHardwall }),
		numberFile("cpuset", "cpuset.mem_exclusive", func(s *Stats) *uint64 { return &s.CPUSet.MemExclusive }),
		numberFile("cpuset", "cpuset.memory_migrate", func(s *Stats) *uint64 { return &s.CPUSet.MemoryMigrate }),
		numberFile("cpuset", "cpuset.memory_spread_page", func(s *Stats) *uint64 { return &s.CPUSet.MemorySpreadPage }),
		numberFile("cpuset", "cpuset.memory_spread_slab", func(s *Stats) *uint64 { return &s.CPUSet.MemorySpreadSlab }),
		numberFile("cpuset", "cpuset.memory_pressure", func(s *Stats) *uint64 { return &s.CPUSet.MemoryPressure }),
		numberFile("cpuset", "cpuset.sched_load_balance", func(s *Stats) *uint64 { return &s.CPUSet.SchedLoadBalance }),
		textFile("cpuset", "cpuset.sched_relax_domain_level", relaxDomainLevel),
		textFile("memory", "memory.stat", memoryStat), textFile("memory", "memory.oom_control", memoryEvents),
	}
	all = append(all, memoryV1("memory.", func(s *Stats) *MemoryUsage { return &s.Memory.Usage })...)
	all = append(all, memoryV1("memory.memsw.", func(s *Stats) *MemoryUsage { return &s.Memory.Swap })...)
	all = append(all, memoryV1("memory.kmem.", func(s *Stats) *MemoryUsage { return &s.Memory.Kernel })...)
	all = append(all, memoryV1("memory.kmem.tcp.", func(s *Stats) *MemoryUsage { return &s.Memory.KernelTCP })...)
	all = append(all, blkioSources()...)
	all = append(all, numberFile("pids", "pids.peak", func(s *Stats) *uint64 { return &s.Pids.Peak }))
	for _, size := range pages {
		all = append(all, hugetlbFields(size, "usage_in_bytes", func(h *HugetlbStats) *uint64 { return &h.Usage })...)
		all = append(all, hugetlbFields(size, "max_usage_in_bytes", func(h *HugetlbStats) *uint64 { return &h.Max })...)
		all = append(all, hugetlbFields(size, "failcnt", func(h *HugetlbStats) *uint64 { return &h.Failcnt })...)
	}
	return append(all, sourcesBoth()...)
}

// sourcesV2 returns the files of v2 (cgroup-v2.rst, "Controllers").
func sourcesV2(pages []string) []source {
	all := []source{
		textFile("cpu", "cpu.stat", cpuStat),
		textFile("", "cpu.pressure", func(s *Stats, b []byte, _ string) error { return stalls(&s.CPU.Pressure, b) }),
		textFile("cpuset", "cpuset.cpus.effective", allowedCPUs), textFile("cpuset", "cpuset.mems.effective", allowedMems),
		textFile("memory", "memory.stat", memoryStat), textFile("memory", "memory.events", memoryEvents),
		textFile("memory", "memory.current", func(s *Stats, b []byte, _ string) (err error) {
			s.Memory.SwapAlone = true
			s.Memory.Usage.Usage, err = oneNumber(b)
			return err
		}),
		numberFile("memory", "memory.peak", func(s *Stats) *uint64 { return &s.Memory.Usage.Max }),
		numberFile("memory", "memory.max", func(s *Stats) *uint64 { return &s.Memory.Usage.Limit }),
		numberFile("memory", "memory.swap.current", func(s *Stats) *uint64 { return &s.Memory.Swap.Usage }),
		numberFile("memory", "memory.swap.peak", func(s *Stats) *uint64 { return &s.Memory.Swap.Max }),
		numberFile("memory", "memory.swap.max", func(s *Stats) *uint64 { return &s.Memory.Swap.Limit }),
		textFile("", "memory.pressure", func(s *Stats, b []byte, _ string) error { return stalls(&s.Memory.Pressure, b) }),
		textFile("io", "io.stat", ioStat),
		textFile("", "io.pressure", func(s *Stats, b []byte, _ string) error { return stalls(&s.IO.Pressure, b) }),
		numberFile("pids", "pids.peak", func(s *Stats) *uint64 { return &s.Pids.Peak }),
	}
	for _, size := range pages {
		all = append(all, hugetlbFields(size, "current", func(h *HugetlbStats) *uint64 { return &h.Usage })...)
		all = append(all, source{"hugetlb", "hugetlb." + size + ".events\x00", size, hugetlbEvents})
	}
	return append(all, sourcesBoth()...)
}

// sourcesBoth returns the files that are the same in both versions.
func sourcesBoth() []source {
	return []source{
		numberFile("pids", "pids.current", func(s *Stats) *uint64 { return &s.Pids.Current }),
		numberFile("pids", "pids.max", func(s *Stats) *uint64 { return &s.Pids.Limit }),
		textFile("pids", "pids.events", pidsEvents),
		textFile("rdma", "rdma.current", func(s *Stats, b []byte, _ string) error { rdma(s, b, rdmaCurrent); return nil }),
		textFile("rdma", "rdma.max", func(s *Stats, b []byte, _ string) error { rdma(s, b, rdmaMax); return nil }),
		textFile("misc", "misc.current", func(s *Stats, b []byte, _ string) error {
			eachNumber(b, func(key []byte, n uint64) { s.misc(key).Usage = n })
			return nil
		}),
		textFile("misc", "misc.max", func(s *Stats, b []byte, _ string) error {
			eachNumber(b, func(key []byte, n uint64) { s.misc(key).Limit = n })
			return nil
		}),
		textFile("misc", "misc.events", miscEvents),
	}
}

func rdmaCurrent(r *RDMAStats, handle bool, n uint64) {
	if handle {
		r.Handles = n
	} else {
		r.Objects = n
	}
}

func rdmaMax(r *RDMAStats, handle bool, n uint64) {
	if handle {
		r.HandleLimit = n
	} else {
		r.ObjectLimit = n
	}
}

func allowedCPUs(s *Stats, b []byte, _ string) (err error) {
	s.CPUSet.CPUs, err = idList(s.CPUSet.CPUs, b)
	return err
}

func allowedMems(s *Stats, b []byte, _ string) (err error) {
	s.CPUSet.Mems, err = idList(s.CPUSet.Mems, b)
	return err
}

// relaxDomainLevel parses cpuset.sched_relax_domain_level, which is -1 if nothing was requested.
func relaxDomainLevel(s *Stats, b []byte, _ string) error {
	sign := int64(1)
	if len(b) > 0 && b[0] == '-' {
		sign, b = -1, b[1:]
	}
	n, err := oneNumber(b)
	s.CPUSet.SchedRelaxDomainLevel = sign * int64(n)
	return err
}

func memoryV1(prefix string, of func(*Stats) *MemoryUsage) []source {
	return []source{
		numberFile("memory", prefix+"usage_in_bytes", func(s *Stats) *uint64 { return &of(s).Usage }),
		numberFile("memory", prefix+"max_usage_in_bytes", func(s *Stats) *uint64 { return &of(s).Max }),
		numberFile("memory", prefix+"limit_in_bytes", func(s *Stats) *uint64 { return &of(s).Limit }),
		numberFile("memory", prefix+"failcnt", func(s *Stats) *uint64 { return &of(s).Failcnt }),
	}
}

// blkioSources returns the counters of the schedulers BFQ and CFQ, and of the throttling layer, which also counts
// requests without a scheduler. The first file with an entry is used.
func blkioSources() []source {
	var all []source
	add := func(file string, of func(*Stats) *[]IOEntry) {
		all = append(all, textFile("blkio", file, func(s *Stats, b []byte, _ string) (err error) {
			if out := of(s); len(*out) == 0 {
				*out, err = blkio(*out, b)
			}
			return err
		}))
	}
	for _, scheduler := range []string{"blkio.bfq.", "blkio."} {
		add(scheduler+"io_service_bytes_recursive", func(s *Stats) *[]IOEntry { return &s.IO.Bytes })
		add(scheduler+"io_serviced_recursive", func(s *Stats) *[]IOEntry { return &s.IO.Operations })
		add(scheduler+"io_queued_recursive", func(s *Stats) *[]IOEntry { return &s.IO.Queued })
		add(scheduler+"io_service_time_recursive", func(s *Stats) *[]IOEntry { return &s.IO.ServiceTime })
		add(scheduler+"io_wait_time_recursive", func(s *Stats) *[]IOEntry { return &s.IO.WaitTime })
		add(scheduler+"io_merged_recursive", func(s *Stats) *[]IOEntry { return &s.IO.Merged })
		add(scheduler+"time_recursive", func(s *Stats) *[]IOEntry { return &s.IO.Time })
		add(scheduler+"sectors_recursive", func(s *Stats) *[]IOEntry { return &s.IO.Sectors })
	}
	add("blkio.throttle.io_service_bytes_recursive", func(s *Stats) *[]IOEntry { return &s.IO.Bytes })
	add("blkio.throttle.io_serviced_recursive", func(s *Stats) *[]IOEntry { return &s.IO.Operations })
	add("blkio.throttle.io_service_bytes", func(s *Stats) *[]IOEntry { return &s.IO.Bytes })
	add("blkio.throttle.io_serviced", func(s *Stats) *[]IOEntry { return &s.IO.Operations })
	return all
}

// hugetlbFields returns the counter of usage and then that of reservations, which replaces the other if the kernel has
// it (Linux 5.7).
func hugetlbFields(size, name string, of func(*HugetlbStats) *uint64) []source {
	take := func(s *Stats, b []byte, size string) (err error) {
		*of(s.hugetlb(size)), err = oneNumber(b)
		return err
	}
	return []source{
		{"hugetlb", "hugetlb." + size + "." + name + "\x00", size, take},
		{"hugetlb", "hugetlb." + size + ".rsvd." + name + "\x00", size, take},
	}
}
