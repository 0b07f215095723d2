package cgroupfs

import "slices"

// Empty reports whether the resources limit nothing. CheckMemory does not count, because it limits nothing by itself.
func (r *Resources) Empty() bool {
	return r.Memory == nil && r.MemoryReservation == nil && r.MemorySwap == nil && r.KernelMemory == nil &&
		r.KernelMemoryTCP == nil && r.Swappiness == nil &&
		r.DisableOOMKiller == nil && r.UseHierarchy == nil && r.CPUShares == nil && r.CPUQuota == nil && r.CPUPeriod == nil &&
		r.CPUBurst == nil && r.CPUIdle == nil &&
		r.RTRuntime == nil && r.RTPeriod == nil && r.Cpus == "" && r.Mems == "" && r.Pids == nil && r.IOWeight == nil &&
		r.IOLeafWeight == nil && r.NetClass == nil &&
		len(r.IODevices)+len(r.Hugepages)+len(r.NetPriorities)+len(r.RDMA)+len(r.Misc)+len(r.DMem)+len(r.Unified)+
			len(r.Devices) == 0
}

// Merge returns r with change applied to it; what change does not set stays as it is. In lists, an entry for the same
// thing (a device, a page size, a file) replaces what it sets of the earlier entry. Device rules are replaced as a
// whole, because their order matters. Neither r nor change is modified, and the result shares their values.
func (r *Resources) Merge(change *Resources) *Resources {
	out := *r
	for _, f := range [...]struct{ into, from **int64 }{
		{&out.Memory, &change.Memory}, {&out.MemoryReservation, &change.MemoryReservation},
		{&out.MemorySwap, &change.MemorySwap}, {&out.KernelMemory, &change.KernelMemory},
		{&out.KernelMemoryTCP, &change.KernelMemoryTCP}, {&out.CPUQuota, &change.CPUQuota}, {&out.CPUIdle, &change.CPUIdle},
		{&out.RTRuntime, &change.RTRuntime}, {&out.Pids, &change.Pids},
	} {
		overlay(f.into, *f.from)
	}
	for _, f := range [...]struct{ into, from **uint64 }{
		{&out.Swappiness, &change.Swappiness}, {&out.CPUShares, &change.CPUShares}, {&out.CPUPeriod, &change.CPUPeriod},
		{&out.CPUBurst, &change.CPUBurst}, {&out.RTPeriod, &change.RTPeriod},
	} {
		overlay(f.into, *f.from)
	}
	overlay(&out.DisableOOMKiller, change.DisableOOMKiller)
	overlay(&out.UseHierarchy, change.UseHierarchy)
	overlay(&out.IOWeight, change.IOWeight)
	overlay(&out.IOLeafWeight, change.IOLeafWeight)
	overlay(&out.NetClass, change.NetClass)
	out.CheckMemory = out.CheckMemory || change.CheckMemory
	if change.Cpus != "" {
		out.Cpus = change.Cpus
	}
	if change.Mems != "" {
		out.Mems = change.Mems
	}
	out.mergeLists(r, change)
	return &out
}

// overlay replaces a value by another one unless that is nil.
func overlay[T any](into **T, from *T) {
	if from != nil {
		*into = from
	}
}

func (r *Resources) mergeLists(old, change *Resources) {
	r.IODevices = mergeList(old.IODevices, change.IODevices, func(d IODevice) [2]uint32 {
		return [2]uint32{d.Major,
			d.Minor}
	}, func(have *IODevice, d IODevice) {
		overlay(&have.Weight, d.Weight)
		overlay(&have.LeafWeight, d.LeafWeight)
		overlay(&have.ReadBps, d.ReadBps)
		overlay(&have.WriteBps, d.WriteBps)
		overlay(&have.ReadIOPS, d.ReadIOPS)
		overlay(&have.WriteIOPS, d.WriteIOPS)
	})
	r.RDMA = mergeList(old.RDMA, change.RDMA, func(d RDMA) string { return d.Device }, func(have *RDMA, d RDMA) {
		overlay(&have.Handles, d.Handles)
		overlay(&have.Objects, d.Objects)
	})
	r.DMem = mergeList(old.DMem, change.DMem, func(d DMem) string { return d.Region }, func(have *DMem, d DMem) {
		overlay(&have.Max, d.Max)
		overlay(&have.Low, d.Low)
		overlay(&have.Min, d.Min)
	})
	r.Hugepages = mergeList(old.Hugepages, change.Hugepages, func(h Hugepage) string { return h.PageSize }, replace)
	r.NetPriorities = mergeList(old.NetPriorities, change.NetPriorities, func(n NetPriority) string { return n.Interface },
		replace)
	r.Misc = mergeList(old.Misc, change.Misc, func(m Misc) string { return m.Name }, replace)
	r.Unified = mergeList(old.Unified, change.Unified, func(u Unified) string { return u.File }, replace)
	if len(change.Devices) > 0 {
		r.Devices = change.Devices
	}
}

func replace[T any](have *T, with T) { *have = with }

// mergeList returns old with the entries of change applied to those of the same key, and new ones at the end.
func mergeList[T any, K comparable](old, change []T, key func(T) K, lay func(*T, T)) []T {
	if len(change) == 0 {
		return old
	}
	out := slices.Clone(old)
	for _, c := range change {
		at := slices.IndexFunc(out, func(o T) bool { return key(o) == key(c) })
		if at < 0 {
			out = append(out, c)
			continue
		}
		lay(&out[at], c)
	}
	return out
}
