package cgroupfs

import (
	"errors"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rule enforces device rules on a group by attaching a BPF program, which the kernel runs whenever a device node is
// opened or created (cgroup-v2.rst, "Device controller"). It replaces earlier rules atomically, so that some rules are
// always in force. If the host has a v1 hierarchy for devices, the rules are writes of the plan and Rule does nothing.
// Without rules it does nothing either.
func (g *Group) Rule(rules []DeviceRule) error {
	if len(rules) == 0 || g.devicesV1() {
		return nil
	}
	m := g.unified()
	if m == nil {
		if h := g.layout.controllerHierarchy("devices"); h != nil {
			return g.whyMissing(h)
		}
		return (&planner{mode: g.layout.Mode()}).noController("device rules", "devices")
	}
	prog, err := compile(rules)
	if err != nil {
		return err
	}
	program, err := loadProgram(prog)
	if err != nil {
		return err
	}
	defer unix.Close(program) // the group keeps the program
	group, err := m.dir.openat(".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(group)
	return m.dir.enforce(group, program)
}

// devicesV1 reports whether the host has a hierarchy of v1 for devices.
func (g *Group) devicesV1() bool {
	return slices.ContainsFunc(g.layout.Hierarchies, func(h Hierarchy) bool {
		return slices.Contains(h.Controllers,
			"devices")
	})
}

// unified returns the group's member in the v2 hierarchy; nil if it is in none.
func (g *Group) unified() *member {
	for i := range g.members {
		if g.members[i].h.V2 {
			return &g.members[i]
		}
	}
	return nil
}

// enforce attaches a program in place of the one that this package attached to the group before. Kernels before 5.6
// cannot replace a program. There, and if more than one is found, the new one is attached before the others are
// detached: the kernel runs all programs of a group, and each of them can deny access.
func (d dir) enforce(group, program int) error {
	old, err := d.attached(group)
	if err != nil {
		return err
	}
	defer func() {
		for _, fd := range old {
			_ = unix.Close(fd)
		}
	}()
	if len(old) == 1 {
		err := d.attach(group, program, old[0])
		if !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	if err := d.attach(group, program, -1); err != nil {
		return err
	}
	for _, fd := range old {
		attr := attachAttr{target: uint32(group), program: uint32(fd), kind: bpfCgroupDevice}
		if _, err := bpf(unix.BPF_PROG_DETACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
			return &os.PathError{Op: "bpf BPF_PROG_DETACH", Path: d.name, Err: err}
		}
	}
	return nil
}

// attach adds a program to the group, or replaces another one by it.
func (d dir) attach(group, program, replaced int) error {
	attr := attachAttr{target: uint32(group), program: uint32(program), kind: bpfCgroupDevice, flags: bpfAllowMulti}
	if replaced >= 0 {
		attr.flags |= bpfReplace
		attr.replace = uint32(replaced)
	}
	if _, err := bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return &os.PathError{Op: "bpf BPF_PROG_ATTACH", Path: d.name, Err: err}
	}
	return nil
}

// attached returns this package's device programs on the group. The caller closes the descriptors.
func (d dir) attached(group int) (ours []int, err error) {
	ids, err := queryPrograms(group)
	if err != nil {
		return nil, &os.PathError{Op: "bpf BPF_PROG_QUERY", Path: d.name, Err: err}
	}
	for _, id := range ids {
		fd, name, err := openProgram(id)
		if errors.Is(err, unix.ENOENT) { // detached meanwhile
			continue
		}
		if err != nil {
			for _, fd := range ours {
				_ = unix.Close(fd)
			}
			return nil, &os.PathError{Op: "bpf BPF_PROG_GET_FD_BY_ID", Path: d.name, Err: err}
		}
		if name == programName {
			ours = append(ours, fd)
		} else {
			_ = unix.Close(fd)
		}
	}
	return ours, nil
}
