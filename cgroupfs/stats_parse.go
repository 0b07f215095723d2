package cgroupfs

// Each of these functions parses a file into a Stats. size is the huge page size for the files that have it in their
// names.

// tick is v1's unit of user and system time in nanoseconds: USER_HZ, which is 100 on all of Linux's architectures.
const tick = 10_000_000

func cpuacctStat(s *Stats, b []byte, _ string) error {
	eachNumber(b, func(key []byte, n uint64) {
		switch string(key) {
		case "user":
			s.CPU.User = n * tick
		case "system":
			s.CPU.System = n * tick
		}
	})
	return nil
}

// cpuacctAll parses a heading, and a line for every processor: its number, user and system time.
func cpuacctAll(s *Stats, b []byte, _ string) error {
	for i := 0; len(b) > 0; i++ {
		var line []byte
		line, b = cutLine(b)
		if i == 0 {
			continue
		}
		_, rest := cutField(line)
		user, rest := cutField(rest)
		system, _ := cutField(rest)
		t := s.processor(i - 1)
		var err error
		if t.User, err = digits(user); err != nil {
			return err
		}
		if t.System, err = digits(system); err != nil {
			return err
		}
	}
	return nil
}

func cpuacctPerCPU(s *Stats, b []byte, _ string) error {
	line, _ := cutLine(b)
	for i := 0; ; i++ {
		var field []byte
		if field, line = cutField(line); len(field) == 0 {
			return nil
		}
		n, err := digits(field)
		if err != nil {
			return err
		}
		s.processor(i).Usage = n
	}
}

func (s *Stats) processor(i int) *CPUTime {
	for len(s.CPU.PerCPU) <= i {
		s.CPU.PerCPU = append(s.CPU.PerCPU, CPUTime{})
	}
	return &s.CPU.PerCPU[i]
}

// cpuStat parses cpu.stat of both versions: v1 counts nanoseconds, v2 microseconds, under different names.
func cpuStat(s *Stats, b []byte, _ string) error {
	c := &s.CPU
	eachNumber(b, func(key []byte, n uint64) {
		switch string(key) {
		case "usage_usec":
			c.Usage = n * 1000
		case "user_usec":
			c.User = n * 1000
		case "system_usec":
			c.System = n * 1000
		case "nr_periods":
			c.Periods = n
		case "nr_throttled":
			c.ThrottledPeriods = n
		case "throttled_usec":
			c.ThrottledTime = n * 1000
		case "throttled_time":
			c.ThrottledTime = n
		case "nr_bursts":
			c.Bursts = n
		case "burst_usec":
			c.BurstTime = n * 1000
		case "burst_time":
			c.BurstTime = n
		}
	})
	return nil
}

// memoryStat parses memory.stat of both versions. Cache is "file" on v2, and "total_cache" on v1, whose "cache" does
// not include the groups below.
func memoryStat(s *Stats, b []byte, _ string) error {
	m := &s.Memory
	eachNumber(b, func(key []byte, n uint64) {
		var c *Counter
		m.Stat, c = appendNamed(m.Stat, key, counterName)
		c.Value = n
		switch string(key) {
		case "cache", "total_cache", "file":
			m.Cache = n
		case "kernel":
			m.Kernel.Usage = n
		}
	})
	return nil
}

func counterName(c *Counter) *string { return &c.Name }

func memoryEvents(s *Stats, b []byte, _ string) error {
	e := &s.Memory.Events
	eachNumber(b, func(key []byte, n uint64) {
		switch string(key) {
		case "low":
			e.Low = n
		case "high":
			e.High = n
		case "max":
			e.Max = n
		case "oom":
			e.OOM = n
		case "oom_kill":
			e.OOMKill = n
		}
	})
	return nil
}

// ioStat parses a line for every device: rbytes, wbytes and dbytes, rios, wios and dios, and fields of cost models.
func ioStat(s *Stats, b []byte, _ string) error {
	for len(b) > 0 {
		var line []byte
		line, b = cutLine(b)
		field, rest := cutField(line)
		major, minor, err := majorMinor(field)
		if err != nil {
			return err
		}
		eachField(rest, func(key []byte, n uint64) {
			switch string(key) {
			case "rbytes":
				s.IO.Bytes = append(s.IO.Bytes, IOEntry{major, minor, "Read", n})
			case "wbytes":
				s.IO.Bytes = append(s.IO.Bytes, IOEntry{major, minor, "Write", n})
			case "dbytes":
				s.IO.Bytes = append(s.IO.Bytes, IOEntry{major, minor, "Discard", n})
			case "rios":
				s.IO.Operations = append(s.IO.Operations, IOEntry{major, minor, "Read", n})
			case "wios":
				s.IO.Operations = append(s.IO.Operations, IOEntry{major, minor, "Write", n})
			case "dios":
				s.IO.Operations = append(s.IO.Operations, IOEntry{major, minor, "Discard", n})
			}
		})
	}
	return nil
}

// blkio parses lines of "major:minor op number", or without op. It leaves out the sum over all devices at the end,
// which has no device.
func blkio(out []IOEntry, b []byte) ([]IOEntry, error) {
	for len(b) > 0 {
		var line []byte
		line, b = cutLine(b)
		field, rest := cutField(line)
		op, rest := cutField(rest)
		value, _ := cutField(rest)
		if len(op) == 0 || string(field) == "Total" {
			continue
		}
		e := IOEntry{}
		if len(value) == 0 {
			op, value = nil, op
		}
		var err error
		if e.Major, e.Minor, err = majorMinor(field); err != nil {
			return out, err
		}
		if e.Value, err = digits(value); err != nil {
			return out, err
		}
		e.Op = operation(op)
		out = append(out, e)
	}
	return out, nil
}

// operation returns the kernel's word for an operation, as a constant for the known ones, so that nothing is allocated.
func operation(op []byte) string {
	for _, known := range [...]string{"", "Read", "Write", "Sync", "Async", "Discard", "Total"} {
		if string(op) == known {
			return known
		}
	}
	return string(op)
}

func pidsEvents(s *Stats, b []byte, _ string) error {
	eachNumber(b, func(key []byte, n uint64) {
		if string(key) == "max" {
			s.Pids.LimitHit = n
		}
	})
	return nil
}

func (s *Stats) hugetlb(size string) *HugetlbStats {
	for i := range s.Hugetlb {
		if s.Hugetlb[i].Size == size {
			return &s.Hugetlb[i]
		}
	}
	s.Hugetlb = append(s.Hugetlb, HugetlbStats{Size: size})
	return &s.Hugetlb[len(s.Hugetlb)-1]
}

func hugetlbEvents(s *Stats, b []byte, size string) error {
	eachNumber(b, func(key []byte, n uint64) {
		if string(key) == "max" {
			s.hugetlb(size).Failcnt = n
		}
	})
	return nil
}

// rdma parses a line for every device: its name, hca_handle and hca_object.
func rdma(s *Stats, b []byte, f func(r *RDMAStats, handle bool, n uint64)) {
	for len(b) > 0 {
		var line []byte
		line, b = cutLine(b)
		name, rest := cutField(line)
		if len(name) == 0 {
			continue
		}
		var r *RDMAStats
		s.RDMA, r = entryNamed(s.RDMA, name, func(r *RDMAStats) *string { return &r.Device })
		eachField(rest, func(key []byte, n uint64) {
			switch string(key) {
			case "hca_handle":
				f(r, true, n)
			case "hca_object":
				f(r, false, n)
			}
		})
	}
}

func (s *Stats) misc(name []byte) *MiscStats {
	var m *MiscStats
	s.Misc, m = entryNamed(s.Misc, name, func(m *MiscStats) *string { return &m.Name })
	return m
}

// miscEvents parses lines of "resource.max number".
func miscEvents(s *Stats, b []byte, _ string) error {
	eachNumber(b, func(key []byte, n uint64) {
		if name, event, found := cutAt(key, '.'); found && string(event) == "max" {
			s.misc(name).Events = n
		}
	})
	return nil
}

// stalls parses one line each for "some" and "full".
func stalls(p *Pressure, b []byte) error {
	for len(b) > 0 {
		var line []byte
		line, b = cutLine(b)
		kind, rest := cutField(line)
		var st *Stall
		switch string(kind) {
		case "some":
			st = &p.Some
		case "full":
			st = &p.Full
		default:
			continue
		}
		for len(rest) > 0 {
			var field []byte
			field, rest = cutField(rest)
			if err := stall(st, field); err != nil {
				return err
			}
		}
		p.Known = true
	}
	return nil
}

func stall(st *Stall, field []byte) (err error) {
	key, value, _ := cutAt(field, '=')
	switch string(key) {
	case "avg10":
		st.Avg10, err = decimal(value)
	case "avg60":
		st.Avg60, err = decimal(value)
	case "avg300":
		st.Avg300, err = decimal(value)
	case "total":
		st.Total, err = digits(value)
	}
	return err
}
