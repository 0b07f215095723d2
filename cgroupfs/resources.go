package cgroupfs

// Resources are the limits of a group. A nil pointer, an empty string or an empty list leaves the kernel's value as it
// is. Resources can be stored as JSON, and Merge applies later ones to earlier ones.
//
// If the host's version of cgroups does not have a limit, Plan returns an error that says so; the comments name those
// cases.
type Resources struct {
	Memory *int64 `json:"memory,omitempty"` // bytes; -1 is no limit
	// bytes that the group keeps while memory can be reclaimed from others; -1 is all: v1 soft limit, v2 memory.low
	MemoryReservation *int64 `json:"memoryReservation,omitempty"`
	// bytes of memory and swap together, as v1 counts; -1 is no limit
	MemorySwap *int64 `json:"memorySwap,omitempty"`
	// bytes; -1 is no limit; v1 only, and kernels since 6.1 take it without effect
	KernelMemory     *int64  `json:"kernelMemory,omitempty"`
	KernelMemoryTCP  *int64  `json:"kernelMemoryTCP,omitempty"`  // bytes; -1 is no limit; v1 only
	Swappiness       *uint64 `json:"swappiness,omitempty"`       // 0 to 100; v1 only
	DisableOOMKiller *bool   `json:"disableOOMKiller,omitempty"` // true: v1 only
	UseHierarchy     *bool   `json:"useHierarchy,omitempty"`     // false: v1 of kernels before 5.11 only
	// Group.Update refuses a limit below what is used, where the kernel would kill for it: v2
	CheckMemory bool `json:"checkMemory,omitempty"`

	CPUShares *uint64 `json:"cpuShares,omitempty"` // v1 shares, 2 to 262144
	CPUQuota  *int64  `json:"cpuQuota,omitempty"`  // microseconds in a period; -1 is no limit
	CPUPeriod *uint64 `json:"cpuPeriod,omitempty"` // microseconds
	CPUBurst  *uint64 `json:"cpuBurst,omitempty"`  // microseconds
	CPUIdle   *int64  `json:"cpuIdle,omitempty"`   // 0 or 1
	RTRuntime *int64  `json:"rtRuntime,omitempty"` // microseconds in a period; v1 only
	RTPeriod  *uint64 `json:"rtPeriod,omitempty"`  // microseconds; v1 only
	Cpus      string  `json:"cpus,omitempty"`      // list such as 0-3,7
	Mems      string  `json:"mems,omitempty"`      // list of memory nodes

	Pids *int64 `json:"pids,omitempty"` // tasks; with 0 no task can be added, -1 is no limit

	IOWeight     *uint16    `json:"ioWeight,omitempty"`     // 1 to 1000, a weight of bfq
	IOLeafWeight *uint16    `json:"ioLeafWeight,omitempty"` // 1 to 1000; v1 of kernels before 5.0 only
	IODevices    []IODevice `json:"ioDevices,omitempty"`    // one for each device

	Hugepages     []Hugepage    `json:"hugepages,omitempty"`     // one for each page size
	NetClass      *uint32       `json:"netClass,omitempty"`      // class of packets for tc(8); v1 only
	NetPriorities []NetPriority `json:"netPriorities,omitempty"` // one for each interface; v1 only
	RDMA          []RDMA        `json:"rdma,omitempty"`          // one for each device
	Misc          []Misc        `json:"misc,omitempty"`          // one for each resource
	DMem          []DMem        `json:"dmem,omitempty"`          // one for each region

	// v2 only: files of the group and what is written to them, after everything else
	Unified []Unified `json:"unified,omitempty"`
	// in order; the last that matches counts. Without rules everything is allowed that no group above denies
	Devices []DeviceRule `json:"devices,omitempty"`
}

// IODevice limits the use of one block device.
type IODevice struct {
	Major      uint32  `json:"major"`
	Minor      uint32  `json:"minor"`
	Weight     *uint16 `json:"weight,omitempty"`     // 1 to 1000, a weight of bfq
	LeafWeight *uint16 `json:"leafWeight,omitempty"` // 1 to 1000; v1 of kernels before 5.0 only
	ReadBps    *uint64 `json:"readBps,omitempty"`    // bytes a second; 0 is no limit
	WriteBps   *uint64 `json:"writeBps,omitempty"`   // bytes a second; 0 is no limit
	ReadIOPS   *uint64 `json:"readIOPS,omitempty"`   // operations a second; 0 is no limit
	WriteIOPS  *uint64 `json:"writeIOPS,omitempty"`  // operations a second; 0 is no limit
}

// Hugepage limits huge pages of one size, including reserved ones if the kernel counts them (Linux 5.7).
type Hugepage struct {
	PageSize string `json:"pageSize"` // as the kernel writes it: 64KB, 2MB, 1GB
	Limit    uint64 `json:"limit"`    // bytes
}

// NetPriority is the priority of packets that leave by one interface.
type NetPriority struct {
	Interface string `json:"interface"`
	Priority  uint32 `json:"priority"`
}

// RDMA limits what a group may hold of one RDMA device. Nil leaves the limit as it is.
type RDMA struct {
	Device  string  `json:"device"` // such as mlx5_0
	Handles *uint32 `json:"handles,omitempty"`
	Objects *uint32 `json:"objects,omitempty"`
}

// Misc limits how much a group may hold of one countable resource (cgroup-v2.rst, "Misc").
type Misc struct {
	Name string `json:"name"` // such as sev
	Max  int64  `json:"max"`  // -1 is no limit
}

// DMem limits how much device memory a group may hold in one region (Linux 6.14; cgroup-v2.rst, "DMEM"). Nil leaves the
// limit as it is.
type DMem struct {
	Region string `json:"region"`        // such as drm/0000:03:00.0/vram0
	Max    *int64 `json:"max,omitempty"` // bytes; -1 is no limit
	Low    *int64 `json:"low,omitempty"` // bytes that are protected while memory can be reclaimed from others; -1 is all
	Min    *int64 `json:"min,omitempty"` // bytes that are never reclaimed; -1 is all
}

// Unified is a file of a v2 group and its content. Each line of Value is written separately, as the kernel requires.
type Unified struct {
	File  string `json:"file"`
	Value string `json:"value"`
}

// DeviceRule allows or denies the use of device nodes.
type DeviceRule struct {
	Allow  bool   `json:"allow"`
	Type   string `json:"type,omitempty"`   // "a" or empty for all, "c" or "b"
	Major  *int64 `json:"major,omitempty"`  // nil for all
	Minor  *int64 `json:"minor,omitempty"`  // nil for all
	Access string `json:"access,omitempty"` // letters of rwm: read, write, create a node; empty for all
}
