// Package cgroupfs creates, limits, empties and removes control groups, on cgroup v1, on v2, and on hosts that have
// both.
//
// Limits are planned before anything is touched: a Layout describes the host, and Plan turns Resources into a list of
// writes, a plain value that can be printed, compared and tested. A Group then carries it out:
//
//	layout, err := cgroupfs.Host()
//	writes, err := cgroupfs.Plan(layout, &resources)
//	group, err := cgroupfs.Create(layout, "/handfast/web")
//	err = group.Apply(writes)
//	err = group.Rule(resources.Devices)
//	err = group.Add(pid)
//	...
//	now, err := group.Update(&resources, &change)
//	err = group.Stats(&stats)
//	err = group.Watch(ctx, nil, func(e cgroupfs.Event) { ... })
//	...
//	err = group.Kill(ctx)
//	err = group.Delete(ctx)
//
// A property that one version of cgroups cannot express is an error that names it; nothing is silently left out.
//
// Groups are accessed by descriptor. The package opens the mount of each hierarchy, checks its file system, resolves
// every path below it with openat2(2) beneath that descriptor, without links, and keeps the group's own directory open.
// See cgroups(7), Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst in the kernel's sources.
package cgroupfs
