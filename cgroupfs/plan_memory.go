package cgroupfs

// noLimit is how Resources, and the OCI configuration, write that there is no limit.
const noLimit = -1

func (p *planner) memory() error {
	r := p.r
	for _, b := range [...]struct {
		property string
		value    *int64
	}{
		{"memory", r.Memory}, {"memory reservation", r.MemoryReservation}, {"memory and swap together", r.MemorySwap},
		{"kernel memory", r.KernelMemory}, {"kernel TCP memory", r.KernelMemoryTCP},
	} {
		if b.value != nil && *b.value < noLimit {
			return invalid(b.property, "%d; want bytes, or -1 for no limit", *b.value)
		}
	}
	if limit, swap := r.Memory, r.MemorySwap; limit != nil && swap != nil && *swap >= 0 && (*limit < 0 || *swap < *limit) {
		return invalid("memory and swap together", "%d is below memory alone of %d", *swap, *limit)
	}
	if r.Swappiness != nil && *r.Swappiness > 100 {
		return invalid("swappiness", "%d; want 0 to 100", *r.Swappiness)
	}
	if p.v2 {
		return p.memoryV2()
	}
	if r.MemorySwap != nil && *r.MemorySwap >= 0 && r.Memory == nil {
		return invalid("memory and swap together", "%d without a limit of memory, which would be the higher one",
			*r.MemorySwap)
	}
	p.memoryV1()
	return nil
}

// memoryV1 sets the limit of memory before that of memory and swap, which may never be the lower of the two
// (mm/memcontrol-v1.c, mem_cgroup_resize_max). A new group has neither; Update orders the two by their present values.
//
// use_hierarchy comes first, because it can be changed only while there are no limits and no groups below
// (mem_cgroup_hierarchy_write of kernels before 5.11; later ones accept only 1, which they always have).
func (p *planner) memoryV1() {
	r := p.r
	switch {
	case r.UseHierarchy == nil:
	case *r.UseHierarchy: // a kernel without the file always does this
		p.addOr(Write{Controller: "memory", File: "memory.use_hierarchy", Value: "1"}, Write{})
	default:
		p.add("memory", "memory.use_hierarchy", "0")
	}
	for _, w := range [...]struct {
		file  string
		value *int64
	}{
		{"memory.limit_in_bytes", r.Memory}, {"memory.memsw.limit_in_bytes", r.MemorySwap},
		{"memory.soft_limit_in_bytes", r.MemoryReservation},
		{"memory.kmem.limit_in_bytes", r.KernelMemory}, {"memory.kmem.tcp.limit_in_bytes", r.KernelMemoryTCP},
	} {
		if w.value != nil {
			p.add("memory", w.file, itoa(*w.value))
		}
	}
	if r.Swappiness != nil {
		p.add("memory", "memory.swappiness", utoa(*r.Swappiness))
	}
	if r.DisableOOMKiller != nil {
		p.add("memory", "memory.oom_control", bit(*r.DisableOOMKiller))
	}
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func (p *planner) memoryV2() error {
	r := p.r
	for _, u := range [...]struct {
		set           bool
		property, why string
	}{
		{r.DisableOOMKiller != nil && *r.DisableOOMKiller, "disableOOMKiller",
			"v2 always kills, and memory.oom.group says how many"},
		{r.Swappiness != nil, "swappiness", "v2 has no swappiness of a group"},
		{r.KernelMemory != nil, "kernel memory", "v2 counts it with all other memory"},
		{r.KernelMemoryTCP != nil, "kernel TCP memory", "v2 counts it with all other memory"},
		{r.UseHierarchy != nil && !*r.UseHierarchy, "useHierarchy false", "v2 always counts the groups below"},
		{r.MemorySwap != nil && *r.MemorySwap >= 0 && r.Memory == nil, "memory and swap together",
			"without a memory limit v2 can limit swap alone only"},
	} {
		if u.set {
			return p.unsupportedOnV2(u.property, u.why)
		}
	}
	if r.Memory != nil {
		p.add("memory", "memory.max", maxOr(*r.Memory))
	}
	if r.MemorySwap != nil {
		w := Write{Controller: "memory", File: "memory.swap.max", Value: swapV2(r)}
		if w.Value == "max" || w.Value == "0" { // a kernel without swap lacks the file, and both values hold anyway
			p.addOr(w, Write{})
		} else {
			p.writes = append(p.writes, w)
		}
	}
	if r.MemoryReservation != nil {
		p.add("memory", "memory.low", maxOr(*r.MemoryReservation))
	}
	return nil
}

// swapV2 returns the limit of swap alone, which v2 counts apart from memory (cgroup-v2.rst, memory.swap.max).
func swapV2(r *Resources) string {
	if *r.MemorySwap < 0 || r.Memory == nil || *r.Memory < 0 {
		return "max"
	}
	return itoa(*r.MemorySwap - *r.Memory)
}
