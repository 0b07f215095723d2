// Package cgroupfs makes, limits, empties and removes control groups, on cgroup v1, on v2, and on hosts that have both.
//
// Limits are decided before anything is touched: a Layout says how the host is built, and Plan turns Resources into a
// list of writes, which prints, compares and tests as the value that it is. Only then a Group carries it out:
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
// What one version of cgroups cannot express is an error that names the property, never silently left out.
//
// Groups are reached by descriptor: the mount of each hierarchy is opened and its file system checked, every path below
// it is resolved by openat2(2) beneath that descriptor, without links, and the group's own directory is what is kept.
// See cgroups(7), Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst in the kernel's sources.
package cgroupfs
