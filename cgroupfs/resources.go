package cgroupfs

import "strconv"

// Resources are limits. A nil pointer, an empty string or an empty list leaves the kernel's value alone.
type Resources struct {
	Memory            *int64  // bytes; -1 is no limit
	MemoryReservation *int64  // bytes; -1 is none: v1 soft limit, v2 memory.low
	MemorySwap        *int64  // bytes of memory and swap together, as v1 counts; -1 is no limit
	DisableOOMKiller  bool    // v1 only
	Swappiness        *uint64 // 0 to 100; v1 only

	CPUShares  *uint64 // weight as v1 counts, 2 to 262144
	CPUQuota   *int64  // microseconds in a period; -1 is no limit
	CPUPeriod  *uint64 // microseconds
	CPUBurst   *uint64 // microseconds
	CPUIdle    *int64  // 0 or 1
	RTRuntime  *int64  // microseconds; v1 only
	RTPeriod   *uint64 // microseconds; v1 only
	Cpus, Mems string  // lists such as 0-3,7

	Pids    *int64       // tasks; -1 is no limit
	Unified []Unified    // v2 only: files of the group and what is written to them
	Devices []DeviceRule // in order, the last that matches counts; none: everything that is not ruled by a parent
}

// Unified is one file of a v2 group and its content.
type Unified struct{ File, Value string }

// DeviceRule allows or denies the use of device nodes.
type DeviceRule struct {
	Allow        bool
	Type         string // "a" for all, "c" or "b"
	Major, Minor *int64 // nil for all
	Access       string // letters of rwm: read, write, make a node
}

// Write is one value to be written to one file of the group. Controller is its v1 name, which also names the hierarchy, or the v2 controller; Value is written as it is.
type Write struct {
	Controller string
	File       string
	Value      string
}

// String is the write in one line.
func (w Write) String() string { return w.Controller + " " + w.File + " = " + strconv.Quote(w.Value) }

// Mode is how a host has its control groups.
type Mode int

// The modes. On a hybrid host some controllers are v1's and others v2's, or none.
const (
	None Mode = iota // no cgroup file system is mounted
	V1
	Hybrid
	V2
)

// String is the mode in a word.
func (m Mode) String() string {
	switch m {
	case V1:
		return "v1"
	case Hybrid:
		return "hybrid"
	case V2:
		return "v2"
	}
	return "none"
}
