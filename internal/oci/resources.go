package oci

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/handfast/handfast/cgroupfs"
)

func (c *conversion) resources() error {
	r := c.linux.Resources
	if r == nil {
		return nil
	}
	c.refuseUnless(nothing(r.BlockIO), "linux.resources.blockIO")
	c.refuseUnless(nothing(r.HugepageLimits), "linux.resources.hugepageLimits")
	c.refuseUnless(nothing(r.Network), "linux.resources.network")
	c.refuseUnless(nothing(r.Rdma), "linux.resources.rdma")
	for _, part := range []func(*Resources) error{c.memory, c.cpu, c.pids, c.unified, c.deviceRules} {
		if err := part(r); err != nil {
			return err
		}
	}
	return nil
}

func (c *conversion) memory(r *Resources) error {
	m, out := r.Memory, &c.out.Resources
	if m == nil {
		return nil
	}
	for _, l := range [...]struct {
		name string
		in   *int64
		into **int64
	}{{"limit", m.Limit, &out.Memory}, {"reservation", m.Reservation, &out.MemoryReservation}, {"swap", m.Swap, &out.MemorySwap}} {
		if l.in == nil || *l.in == 0 { // clients write 0 where they mean to say nothing
			continue
		}
		if *l.in < -1 {
			return wrong("linux.resources.memory."+l.name, "%d; want a number of bytes, or -1 for no limit", *l.in)
		}
		*l.into = l.in
	}
	if limit, swap := out.Memory, out.MemorySwap; limit != nil && swap != nil && *swap != -1 && (*limit == -1 || *swap < *limit) {
		return wrong("linux.resources.memory.swap", "%d is below memory.limit %d; it counts memory and swap together", *swap, *limit)
	}
	if deref(m.DisableOOMKiller) {
		out.DisableOOMKiller = m.DisableOOMKiller
	}
	at := "linux.resources.memory."
	c.refuseUnless(deref(m.Kernel) <= 0, at+"kernel")
	c.refuseUnless(deref(m.KernelTCP) <= 0, at+"kernelTCP")
	c.refuseUnless(m.Swappiness == nil, at+"swappiness")
	c.refuseUnless(!deref(m.CheckBeforeUpdate), at+"checkBeforeUpdate")
	// useHierarchy is what kernels since 5.11 do anyway, and cannot be turned off there.
	c.refuseUnless(m.UseHierarchy == nil || *m.UseHierarchy, at+"useHierarchy false")
	return nil
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func (c *conversion) cpu(r *Resources) error {
	in, out := r.CPU, &c.out.Resources
	if in == nil {
		return nil
	}
	at := "linux.resources.cpu."
	c.refuseUnless(deref(in.RealtimeRuntime) == 0, at+"realtimeRuntime")
	c.refuseUnless(deref(in.RealtimePeriod) == 0, at+"realtimePeriod")
	if s := deref(in.Shares); s != 0 {
		// The kernel takes the nearest value that it knows; so does this.
		s = min(max(s, 2), 262144)
		out.CPUShares = &s
	}
	if q := deref(in.Quota); q != 0 {
		if q < -1 || q > 0 && q < 1000 {
			return wrong(at+"quota", "%d; want at least 1000 microseconds, or -1 for no limit", q)
		}
		out.CPUQuota = in.Quota
	}
	if p := deref(in.Period); p != 0 {
		if p < 1000 || p > 1_000_000 {
			return wrong(at+"period", "%d; want 1000 to 1000000 microseconds", p)
		}
		out.CPUPeriod = in.Period
	}
	if in.Idle != nil && *in.Idle != 0 && *in.Idle != 1 {
		return wrong(at+"idle", "%d; want 0 or 1", *in.Idle)
	}
	out.CPUBurst, out.CPUIdle = in.Burst, in.Idle
	for _, l := range [...]struct {
		name, in string
		into     *string
	}{{"cpus", in.Cpus, &out.Cpus}, {"mems", in.Mems, &out.Mems}} {
		if strings.Trim(l.in, "0123456789,-: /") != "" {
			return wrong(at+l.name, "%q; want a list of numbers such as 0-3,7", l.in)
		}
		*l.into = l.in
	}
	return nil
}

// pids: zero stands for no limit as in all versions of the specification before 1.3, which is what clients that write it mean.
func (c *conversion) pids(r *Resources) error {
	if r.Pids == nil || r.Pids.Limit == nil {
		return nil
	}
	limit := *r.Pids.Limit
	if limit <= 0 {
		limit = -1
	}
	c.out.Resources.Pids = &limit
	return nil
}

func (c *conversion) unified(r *Resources) error {
	for _, file := range slices.Sorted(maps.Keys(r.Unified)) {
		// A name and nothing more: a slash would leave the group. cgroup.* steer the group itself, which is the runtime's business.
		controller, rest, _ := strings.Cut(file, ".")
		if strings.Contains(file, "/") || controller == "" || rest == "" || controller == "cgroup" {
			return wrong("linux.resources.unified", "%q; want the name of a controller's file such as memory.high", file)
		}
		c.out.Resources.Unified = append(c.out.Resources.Unified, cgroupfs.Unified{File: file, Value: r.Unified[file]})
	}
	return nil
}

// deviceRules takes over the rules and adds at their end what every container needs: making any node (which is no access to it), and the use of the default devices.
func (c *conversion) deviceRules(r *Resources) error {
	for i, d := range r.Devices {
		at := fmt.Sprintf("linux.resources.devices[%d]", i)
		switch d.Type {
		case "a", "c", "b":
		case "":
			d.Type = "a"
		default:
			return wrong(at+".type", "%q is not known; want a, c or b", d.Type)
		}
		if d.Access == "" {
			d.Access = "rwm"
		}
		if strings.Trim(d.Access, "rwm") != "" {
			return wrong(at+".access", "%q; want letters of rwm", d.Access)
		}
		for _, n := range [...]struct {
			name string
			in   **int64
		}{{"major", &d.Major}, {"minor", &d.Minor}} {
			if *n.in != nil && (**n.in < -1 || **n.in > math.MaxUint32) {
				return wrong(at+"."+n.name, "%d; want 0 to %d, or -1 for all", **n.in, uint32(math.MaxUint32))
			}
			if *n.in != nil && **n.in == -1 {
				*n.in = nil
			}
		}
		c.out.Resources.Devices = append(c.out.Resources.Devices, cgroupfs.DeviceRule(d))
	}
	if len(r.Devices) > 0 {
		c.out.Resources.Devices = append(c.out.Resources.Devices, defaultRules()...)
	}
	return nil
}

func defaultRules() []cgroupfs.DeviceRule {
	rules := []cgroupfs.DeviceRule{{Allow: true, Type: "c", Access: "m"}, {Allow: true, Type: "b", Access: "m"}}
	for _, d := range defaultDevices() {
		major, minor := int64(d.Major), int64(d.Minor)
		rules = append(rules, cgroupfs.DeviceRule{Allow: true, Type: d.Type, Major: &major, Minor: &minor, Access: "rwm"})
	}
	for _, d := range [...]struct{ major, minor int64 }{{5, 1}, {5, 2}, {10, 200}} { // console, ptmx, net/tun
		rules = append(rules, cgroupfs.DeviceRule{Allow: true, Type: "c", Major: &d.major, Minor: &d.minor, Access: "rwm"})
	}
	terminals := int64(136) // pts/*
	return append(rules, cgroupfs.DeviceRule{Allow: true, Type: "c", Major: &terminals, Access: "rwm"})
}
