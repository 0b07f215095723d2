package systemd

import "strings"

// unified adds properties for the v2 files of Resources.Unified. They come after the others, as in package cgroupfs,
// and so override them.
func (p *planner) unified() error {
	if !p.host.V2 {
		return nil // cgroupfs refuses those of a controller that v1 has
	}
	for _, u := range p.r.Unified {
		if err := p.file(u.File, strings.TrimSpace(u.Value)); err != nil {
			return err
		}
	}
	return nil
}

// fileProperty returns the property for a file that holds one number or "max"; empty for any other file.
func fileProperty(file string) string {
	switch file {
	case "memory.max":
		return "MemoryMax"
	case "memory.high":
		return "MemoryHigh"
	case "memory.low":
		return "MemoryLow"
	case "memory.min":
		return "MemoryMin"
	case "memory.swap.max":
		return "MemorySwapMax"
	case "memory.zswap.max":
		return "MemoryZSwapMax"
	case "pids.max":
		return "TasksMax"
	case "cpu.weight":
		return "CPUWeight"
	}
	return ""
}

func (p *planner) file(file, value string) error {
	if property := fileProperty(file); property != "" {
		n, err := number(file, value)
		if err != nil {
			return err
		}
		if file == "pids.max" {
			n = max(n, 1)
		}
		p.add(property, uint64v(n))
		return nil
	}
	switch file {
	case "cpu.idle":
		if value == "1" && p.host.Version >= minIdle {
			p.add("CPUWeight", uint64v(0))
		}
	case "cpu.max":
		return p.max(value)
	case "cpuset.cpus":
		return p.sets(value, "", "unified cpuset.cpus", "")
	case "cpuset.mems":
		return p.sets("", value, "", "unified cpuset.mems")
	case "io.weight", "io.bfq.weight":
		return p.weight(file, value)
	}
	return nil
}

// max parses cpu.max: a quota or "max", and optionally a period.
func (p *planner) max(value string) error {
	f := strings.Fields(value)
	if len(f) == 0 || len(f) > 2 {
		return invalid("unified cpu.max: %q; want a quota and a period", value)
	}
	quota, err := number("cpu.max", f[0])
	if err != nil {
		return err
	}
	period := uint64(defaultPeriod)
	if len(f) == 2 {
		if period, err = number("cpu.max", f[1]); err != nil {
			return err
		}
		p.add("CPUQuotaPeriodUSec", uint64v(period))
	}
	return p.quota(quota, period)
}

// weight sets the default of io.weight; weights of single devices, and bfq's own, are only written to the files.
func (p *planner) weight(file, value string) error {
	f := strings.Fields(strings.TrimPrefix(value, "default "))
	if file != "io.weight" || len(f) != 1 {
		return nil
	}
	n, err := number(file, f[0])
	if err == nil && (n < 1 || n > 10000) {
		err = invalid("unified io.weight: %d; want 1 to 10000", n)
	}
	if err != nil {
		return err
	}
	p.add("IOWeight", uint64v(n))
	return nil
}
