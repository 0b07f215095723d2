package oci

import (
	"encoding/json"

	"github.com/handfast/handfast/internal/rdt"
)

// Linux is config-linux.md.
type Linux struct {
	UIDMappings       []IDMapping           `json:"uidMappings,omitempty"`
	GIDMappings       []IDMapping           `json:"gidMappings,omitempty"`
	Sysctl            map[string]string     `json:"sysctl,omitempty"`
	Resources         *Resources            `json:"resources,omitempty"`
	CgroupsPath       string                `json:"cgroupsPath,omitempty"`
	Namespaces        []Namespace           `json:"namespaces,omitempty"`
	Devices           []Device              `json:"devices,omitempty"`
	NetDevices        map[string]NetDevice  `json:"netDevices,omitempty"`
	Seccomp           json.RawMessage       `json:"seccomp,omitempty"`
	RootfsPropagation string                `json:"rootfsPropagation,omitempty"`
	MaskedPaths       []string              `json:"maskedPaths,omitempty"`
	ReadonlyPaths     []string              `json:"readonlyPaths,omitempty"`
	MountLabel        string                `json:"mountLabel,omitempty"`
	IntelRdt          *rdt.Config           `json:"intelRdt,omitempty"`
	MemoryPolicy      *MemoryPolicy         `json:"memoryPolicy,omitempty"`
	Personality       *Personality          `json:"personality,omitempty"`
	TimeOffsets       map[string]TimeOffset `json:"timeOffsets,omitempty"`
}

// IDMapping is one range of a user namespace's ids.
type IDMapping struct {
	ContainerID uint32 `json:"containerID"`
	HostID      uint32 `json:"hostID"`
	Size        uint32 `json:"size"`
}

// TimeOffset is added to a clock of a new time namespace.
type TimeOffset struct {
	Secs     int64  `json:"secs,omitempty"`
	Nanosecs uint32 `json:"nanosecs,omitempty"`
}

// Namespace is one namespace: a new one, or with Path the one to join.
type Namespace struct {
	Type string `json:"type"`
	Path string `json:"path,omitempty"`
}

// NetDevice is a network device of the host that the container gets, under another name if it says one.
type NetDevice struct {
	Name string `json:"name,omitempty"`
}

// Device is one device node. FileMode may carry the type's bits, as clients copy it from stat(2).
type Device struct {
	Path     string  `json:"path"`
	Type     string  `json:"type"`
	Major    int64   `json:"major"`
	Minor    int64   `json:"minor"`
	FileMode *uint32 `json:"fileMode,omitempty"`
	UID      *uint32 `json:"uid,omitempty"`
	GID      *uint32 `json:"gid,omitempty"`
}

// Resources are the limits of the container's control group. A nil pointer and an absent property are one: the limit is
// left alone.
type Resources struct {
	Unified        map[string]string `json:"unified,omitempty"`
	Devices        []DeviceRule      `json:"devices,omitempty"`
	Memory         *Memory           `json:"memory,omitempty"`
	CPU            *CPU              `json:"cpu,omitempty"`
	Pids           *Pids             `json:"pids,omitempty"`
	BlockIO        *BlockIO          `json:"blockIO,omitempty"`
	HugepageLimits []HugepageLimit   `json:"hugepageLimits,omitempty"`
	Network        *Network          `json:"network,omitempty"`
	Rdma           map[string]Rdma   `json:"rdma,omitempty"`
}

// DeviceRule allows or denies access to device nodes; nil numbers stand for all of them, an empty Type for both.
type DeviceRule struct {
	Allow  bool   `json:"allow"`
	Type   string `json:"type,omitempty"`
	Major  *int64 `json:"major,omitempty"`
	Minor  *int64 `json:"minor,omitempty"`
	Access string `json:"access,omitempty"`
}

// Memory limits, in bytes; -1 is no limit.
type Memory struct {
	Limit             *int64  `json:"limit,omitempty"`
	Reservation       *int64  `json:"reservation,omitempty"`
	Swap              *int64  `json:"swap,omitempty"`
	Kernel            *int64  `json:"kernel,omitempty"`
	KernelTCP         *int64  `json:"kernelTCP,omitempty"`
	Swappiness        *uint64 `json:"swappiness,omitempty"`
	DisableOOMKiller  *bool   `json:"disableOOMKiller,omitempty"`
	UseHierarchy      *bool   `json:"useHierarchy,omitempty"`
	CheckBeforeUpdate *bool   `json:"checkBeforeUpdate,omitempty"`
}

// CPU limits; times are in microseconds, Shares is the v1 weight (1024 is the default).
type CPU struct {
	Shares          *uint64 `json:"shares,omitempty"`
	Quota           *int64  `json:"quota,omitempty"`
	Burst           *uint64 `json:"burst,omitempty"`
	Period          *uint64 `json:"period,omitempty"`
	RealtimeRuntime *int64  `json:"realtimeRuntime,omitempty"`
	RealtimePeriod  *uint64 `json:"realtimePeriod,omitempty"`
	Cpus            string  `json:"cpus,omitempty"`
	Mems            string  `json:"mems,omitempty"`
	Idle            *int64  `json:"idle,omitempty"`
}

// Pids limits the number of tasks; -1 is no limit, nil leaves it alone.
type Pids struct {
	Limit *int64 `json:"limit,omitempty"`
}

// BlockIO are weights, 10 to 1000, and limits of single devices.
type BlockIO struct {
	Weight                  *uint16          `json:"weight,omitempty"`
	LeafWeight              *uint16          `json:"leafWeight,omitempty"`
	WeightDevice            []WeightDevice   `json:"weightDevice,omitempty"`
	ThrottleReadBpsDevice   []ThrottleDevice `json:"throttleReadBpsDevice,omitempty"`
	ThrottleWriteBpsDevice  []ThrottleDevice `json:"throttleWriteBpsDevice,omitempty"`
	ThrottleReadIOPSDevice  []ThrottleDevice `json:"throttleReadIOPSDevice,omitempty"`
	ThrottleWriteIOPSDevice []ThrottleDevice `json:"throttleWriteIOPSDevice,omitempty"`
}

// WeightDevice is the weights for one device.
type WeightDevice struct {
	Major      int64   `json:"major"`
	Minor      int64   `json:"minor"`
	Weight     *uint16 `json:"weight,omitempty"`
	LeafWeight *uint16 `json:"leafWeight,omitempty"`
}

// ThrottleDevice is a limit for one device, in bytes or operations a second; zero is none.
type ThrottleDevice struct {
	Major int64  `json:"major"`
	Minor int64  `json:"minor"`
	Rate  uint64 `json:"rate"`
}

// HugepageLimit is the limit of huge pages of one size, in bytes.
type HugepageLimit struct {
	PageSize string `json:"pageSize"` // such as 2MB
	Limit    uint64 `json:"limit"`
}

// Network is what marks the packets of the group.
type Network struct {
	ClassID    *uint32             `json:"classID,omitempty"`
	Priorities []InterfacePriority `json:"priorities,omitempty"`
}

// InterfacePriority is the priority of packets that leave by one interface.
type InterfacePriority struct {
	Name     string `json:"name"`
	Priority uint32 `json:"priority"`
}

// Rdma is what the group may hold of one RDMA device.
type Rdma struct {
	HcaHandles *uint32 `json:"hcaHandles,omitempty"`
	HcaObjects *uint32 `json:"hcaObjects,omitempty"`
}
