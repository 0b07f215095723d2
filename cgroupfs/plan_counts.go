package cgroupfs

import "strings"

// pids writes the limit of tasks, which is the same file in both versions. With a limit of 0, existing tasks continue
// (kernel/cgroup/pids.c). Without the controller nothing limits tasks, so there no limit needs no write.
func (p *planner) pids() error {
	n := p.r.Pids
	switch {
	case n == nil:
	case *n < noLimit:
		return invalid("pids", "%d; want tasks, or -1 for no limit", *n)
	case *n > noLimit:
		p.add("pids", "pids.max", maxOr(*n))
	case p.place("pids", "pids") != nil:
		p.addOr(Write{Controller: "pids", File: "pids.max", Value: maxOr(*n)}, Write{})
	}
	return nil
}

// hugetlb limits reserved pages first and then those in use (Documentation/admin-guide/cgroup-v1/hugetlb.rst): a
// reservation above the limit fails, whereas using more pages than allowed is a SIGBUS.
func (p *planner) hugetlb() error {
	suffix := ".limit_in_bytes"
	if p.v2 {
		suffix = ".max"
	}
	for _, h := range p.r.Hugepages {
		if !pageSize(h.PageSize) {
			return invalid("huge page size", "%q; want a number and KB, MB or GB, such as 2MB", h.PageSize)
		}
		limit := utoa(h.Limit)
		p.addOr(Write{Controller: "hugetlb", File: "hugetlb." + h.PageSize + ".rsvd" + suffix, Value: limit}, Write{})
		p.add("hugetlb", "hugetlb."+h.PageSize+suffix, limit)
	}
	return nil
}

// pageSize reports whether s is a page size as it appears in file names (mm/hugetlb_cgroup.c, mem_fmt), so that it
// cannot name any other file.
func pageSize(s string) bool {
	number, found := "", false
	for _, unit := range [...]string{"KB", "MB", "GB"} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			number, found = n, true
		}
	}
	return found && number != "" && len(number) < 12 && number[0] != '0' && strings.Trim(number, "0123456789") == ""
}

// checkKey refuses a name that is not a single word, because it becomes the first word of a line.
func checkKey(property, name string) error {
	if name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return invalid(property, "%q; want one word", name)
	}
	return nil
}

// rdma is one file in both versions (kernel/cgroup/rdma.c).
func (p *planner) rdma() error {
	for _, d := range p.r.RDMA {
		if err := checkKey("rdma device", d.Device); err != nil {
			return err
		}
		value := d.Device
		if d.Handles != nil {
			value += " hca_handle=" + utoa(uint64(*d.Handles))
		}
		if d.Objects != nil {
			value += " hca_object=" + utoa(uint64(*d.Objects))
		}
		if value != d.Device {
			p.add("rdma", "rdma.max", value)
		}
	}
	return nil
}

// misc is one file in both versions (kernel/cgroup/misc.c).
func (p *planner) misc() error {
	for _, m := range p.r.Misc {
		if err := checkKey("misc resource", m.Name); err != nil {
			return err
		}
		if m.Max < noLimit {
			return invalid("misc resource "+m.Name, "%d; want a number, or -1 for no limit", m.Max)
		}
		p.add("misc", "misc.max", m.Name+" "+maxOr(m.Max))
	}
	return nil
}

// dmem is three files in both versions (kernel/cgroup/dmem.c). Protections are written before limits.
func (p *planner) dmem() error {
	for _, d := range p.r.DMem {
		if err := checkKey("dmem region", d.Region); err != nil {
			return err
		}
		for _, w := range [...]struct {
			file  string
			bytes *int64
		}{{"dmem.min", d.Min}, {"dmem.low", d.Low}, {"dmem.max", d.Max}} {
			if w.bytes == nil {
				continue
			}
			if *w.bytes < noLimit {
				return invalid(w.file+" of "+d.Region, "%d; want bytes, or -1 for no limit", *w.bytes)
			}
			p.add("dmem", w.file, d.Region+" "+maxOr(*w.bytes))
		}
	}
	return nil
}
