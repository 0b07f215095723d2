package oci

import (
	"encoding/json"

	"github.com/handfast/handfast/internal/rdt"
)

// Linux is the object linux, which config-linux.md describes.
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

// IDMapping is one range of ids in a user namespace's mapping.
type IDMapping struct {
	ContainerID uint32 `json:"containerID"`
	HostID      uint32 `json:"hostID"`
	Size        uint32 `json:"size"`
}

// TimeOffset is added to a clock in a new time namespace.
type TimeOffset struct {
	Secs     int64  `json:"secs,omitempty"`
	Nanosecs uint32 `json:"nanosecs,omitempty"`
}

// Namespace is one namespace: a new one, or the one at Path if that is set.
type Namespace struct {
	Type string `json:"type"`
	Path string `json:"path,omitempty"`
}

// NetDevice is a network device of the host that is moved to the container, and renamed to Name if that is set.
type NetDevice struct {
	Name string `json:"name,omitempty"`
}

// Device is one device node. FileMode may include the bits of the file type, because clients copy it from stat(2).
type Device struct {
	Path     string  `json:"path"`
	Type     string  `json:"type"`
	Major    int64   `json:"major"`
	Minor    int64   `json:"minor"`
	FileMode *uint32 `json:"fileMode,omitempty"`
	UID      *uint32 `json:"uid,omitempty"`
	GID      *uint32 `json:"gid,omitempty"`
}

// Resources are the limits of the container's cgroup. A nil pointer means that the property is absent, and the
// limit does not change.
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

// DeviceRule allows or denies access to device nodes. A nil number matches all numbers, and an empty Type matches
// both types.
type DeviceRule struct {
	Allow  bool   `json:"allow"`
	Type   string `json:"type,omitempty"`
	Major  *int64 `json:"major,omitempty"`
	Minor  *int64 `json:"minor,omitempty"`
	Access string `json:"access,omitempty"`
}

// Memory holds memory limits in bytes; -1 means no limit.
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

// CPU holds CPU limits. Times are in microseconds. Shares is the v1 weight, whose default is 1024.
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

// Pids limits the number of tasks; -1 means no limit, and nil means no change.
type Pids struct {
	Limit *int64 `json:"limit,omitempty"`
}

// BlockIO holds weights from 10 to 1000, and limits for single devices.
type BlockIO struct {
	Weight                  *uint16          `json:"weight,omitempty"`
	LeafWeight              *uint16          `json:"leafWeight,omitempty"`
	WeightDevice            []WeightDevice   `json:"weightDevice,omitempty"`
	ThrottleReadBpsDevice   []ThrottleDevice `json:"throttleReadBpsDevice,omitempty"`
	ThrottleWriteBpsDevice  []ThrottleDevice `json:"throttleWriteBpsDevice,omitempty"`
	ThrottleReadIOPSDevice  []ThrottleDevice `json:"throttleReadIOPSDevice,omitempty"`
	ThrottleWriteIOPSDevice []ThrottleDevice `json:"throttleWriteIOPSDevice,omitempty"`
}

// WeightDevice holds the weights for one device.
type WeightDevice struct {
	Major      int64   `json:"major"`
	Minor      int64   `json:"minor"`
	Weight     *uint16 `json:"weight,omitempty"`
	LeafWeight *uint16 `json:"leafWeight,omitempty"`
}

// ThrottleDevice is a limit for one device, in bytes or operations per second; zero means no limit.
type ThrottleDevice struct {
	Major int64  `json:"major"`
	Minor int64  `json:"minor"`
	Rate  uint64 `json:"rate"`
}

// HugepageLimit is the limit for huge pages of one size, in bytes.
type HugepageLimit struct {
	PageSize string `json:"pageSize"` // such as 2MB
	Limit    uint64 `json:"limit"`
}

// Network sets marks on the packets of the group.
type Network struct {
	ClassID    *uint32             `json:"classID,omitempty"`
	Priorities []InterfacePriority `json:"priorities,omitempty"`
}

// InterfacePriority is the priority of packets that leave through one interface.
type InterfacePriority struct {
	Name     string `json:"name"`
	Priority uint32 `json:"priority"`
}

// Rdma limits the group's use of one RDMA device.
type Rdma struct {
	HcaHandles *uint32 `json:"hcaHandles,omitempty"`
	HcaObjects *uint32 `json:"hcaObjects,omitempty"`
}
