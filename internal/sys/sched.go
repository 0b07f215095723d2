package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// SetScheduler calls sched_setattr(2) for a thread, 0 for this one.
func SetScheduler(pid int, s *container.Scheduler) error {
	attr := unix.SchedAttr{
		Policy: s.Policy, Flags: s.Flags, Nice: s.Nice, Priority: s.Priority, Runtime: s.Runtime, Deadline: s.Deadline,
		Period: s.Period,
	}
	return unix.SchedSetAttr(pid, &attr, 0)
}

// HasScheduler reports whether a thread already has these settings. It only compares those that the policy uses: the
// kernel gives every thread a nice value, and since Linux 6.12 also threads of the fair policies a runtime, their time
// slice.
func HasScheduler(pid int, s *container.Scheduler) bool {
	a, err := unix.SchedGetAttr(pid, 0)
	if err != nil || a.Policy != s.Policy {
		return false
	}
	switch s.Policy {
	case schedFIFO, schedRR:
		return a.Priority == s.Priority
	case schedDeadline:
		return a.Runtime == s.Runtime && a.Deadline == s.Deadline && (a.Period == s.Period || s.Period == 0)
	}
	return a.Nice == s.Nice
}

// Policies of <linux/sched.h> whose threads have no nice value.
const (
	schedFIFO     = 1
	schedRR       = 2
	schedDeadline = 6
)

// ioprioWhoProcess is IOPRIO_WHO_PROCESS of <linux/ioprio.h>, which is a single thread despite its name.
const ioprioWhoProcess = 1

// SetIOPriority calls ioprio_set(2) for a thread, 0 for this one; value is class<<13|level.
func SetIOPriority(pid int, value uint32) error {
	_, _, errno := unix.RawSyscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, uintptr(pid), uintptr(value))
	if errno != 0 {
		return errno
	}
	return nil
}

// HasIOPriority reports whether a thread already has this priority, ioprio_get(2).
func HasIOPriority(pid int, value uint32) bool {
	got, _, errno := unix.RawSyscall(unix.SYS_IOPRIO_GET, ioprioWhoProcess, uintptr(pid), 0)
	return errno == 0 && uint32(got) == value
}

// SetProcessors calls sched_setaffinity(2) for a thread, 0 for this one. The numbers can be of any size.
func SetProcessors(pid int, processors []uint32) error {
	return unix.SchedSetaffinityDynamic(pid, bitSet(processors))
}

// bitSet returns a set of processors or nodes in the form that the kernel reads: bit n of an array of unsigned long.
func bitSet(numbers []uint32) unix.CPUSetDynamic {
	most := uint32(0)
	for _, n := range numbers {
		most = max(most, n)
	}
	set := unix.NewCPUSet(int(most) + 1)
	for _, n := range numbers {
		set.Set(int(n))
	}
	return set
}

// SetMemoryPolicy calls set_mempolicy(2) for this thread. The policy is kept by the program that it executes.
func SetMemoryPolicy(p *container.MemoryPolicy) error {
	var mask unsafe.Pointer
	bits := uintptr(0)
	if len(p.Nodes) > 0 {
		set := bitSet(p.Nodes)
		mask = unsafe.Pointer(unsafe.SliceData(set))
		// One more than the number of bits, because the kernel ignores the last one (get_nodes in mm/mempolicy.c).
		bits = uintptr(len(set))*unsafe.Sizeof(set[0])*8 + 1
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SET_MEMPOLICY, uintptr(p.Mode|p.Flags), uintptr(mask), bits)
	if errno != 0 {
		return errno
	}
	return nil
}

// SetPersonality calls personality(2) for this thread.
func SetPersonality(persona uint64) error {
	_, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, uintptr(persona), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
