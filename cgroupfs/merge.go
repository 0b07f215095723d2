package cgroupfs

import "slices"

// Empty reports whether the resources ask for nothing. CheckMemory alone is about later changes, and nothing.
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

// Merge is r with change laid over it: what change leaves alone stays as it is. Of lists, an entry for the same thing
// (a device, a page size, a file) takes the place of the earlier one as far as it says something; device rules are
// replaced as a whole, for their order is their meaning. Neither r nor change is changed, and the result shares their
// values.
func (r *Resources) Merge(change *Resources) *Resources {
	out := *r
	for _, f := range [...]struct{ into, from **int64 }{
		{&out.Memory, &change.Memory}, {&out.MemoryReservation, &change.MemoryReservation},
		{&out.MemorySwap, &change.MemorySwap}, {&out.KernelMemory, &change.KernelMemory},
		{&out.KernelMemoryTCP, &change.KernelMemoryTCP}, {&out.CPUQuota, &change.CPUQuota}, {&out.CPUIdle, &change.CPUIdle},
		{&out.RTRuntime, &change.RTRuntime}, {&out.Pids, &change.Pids},
	} {
		over(f.into, *f.from)
	}
	for _, f := range [...]struct{ into, from **uint64 }{
		{&out.Swappiness, &change.Swappiness}, {&out.CPUShares, &change.CPUShares}, {&out.CPUPeriod, &change.CPUPeriod},
		{&out.CPUBurst, &change.CPUBurst}, {&out.RTPeriod, &change.RTPeriod},
	} {
		over(f.into, *f.from)
	}
	over(&out.DisableOOMKiller, change.DisableOOMKiller)
	over(&out.UseHierarchy, change.UseHierarchy)
	over(&out.IOWeight, change.IOWeight)
	over(&out.IOLeafWeight, change.IOLeafWeight)
	over(&out.NetClass, change.NetClass)
	out.CheckMemory = out.CheckMemory || change.CheckMemory
	if change.Cpus != "" {
		out.Cpus = change.Cpus
	}
	if change.Mems != "" {
		out.Mems = change.Mems
	}
	out.lists(r, change)
	return &out
}

// over puts a value in the place of another, if there is one.
func over[T any](into **T, from *T) {
	if from != nil {
		*into = from
	}
}

func (r *Resources) lists(old, change *Resources) {
	r.IODevices = mergeList(old.IODevices, change.IODevices, func(d IODevice) [2]uint32 {
		return [2]uint32{d.Major,
			d.Minor}
	}, func(have *IODevice, d IODevice) {
		over(&have.Weight, d.Weight)
		over(&have.LeafWeight, d.LeafWeight)
		over(&have.ReadBps, d.ReadBps)
		over(&have.WriteBps, d.WriteBps)
		over(&have.ReadIOPS, d.ReadIOPS)
		over(&have.WriteIOPS, d.WriteIOPS)
	})
	r.RDMA = mergeList(old.RDMA, change.RDMA, func(d RDMA) string { return d.Device }, func(have *RDMA, d RDMA) {
		over(&have.Handles, d.Handles)
		over(&have.Objects, d.Objects)
	})
	r.DMem = mergeList(old.DMem, change.DMem, func(d DMem) string { return d.Region }, func(have *DMem, d DMem) {
		over(&have.Max, d.Max)
		over(&have.Low, d.Low)
		over(&have.Min, d.Min)
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

// mergeList is old with the entries of change laid over those of the same key, and new ones at the end.
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
