package oci

import "github.com/handfast/handfast/internal/jsonread"

var linuxFields = []jsonread.Field[Linux]{
	{Name: "uidMappings", Read: func(r *reader, v *Linux) { jsonread.List(r, &v.UIDMappings, readIDMapping) }},
	{Name: "gidMappings", Read: func(r *reader, v *Linux) { jsonread.List(r, &v.GIDMappings, readIDMapping) }},
	{Name: "sysctl", Read: func(r *reader, v *Linux) { jsonread.Map(r, &v.Sysctl, jsonread.String) }},
	{Name: "resources", Read: func(r *reader, v *Linux) { jsonread.Pointer(r, &v.Resources, readResources) }},
	{Name: "cgroupsPath", Read: func(r *reader, v *Linux) { jsonread.String(r, &v.CgroupsPath) }},
	{Name: "namespaces", Read: func(r *reader, v *Linux) { jsonread.List(r, &v.Namespaces, readNamespace) }},
	{Name: "devices", Read: func(r *reader, v *Linux) { jsonread.List(r, &v.Devices, readDevice) }},
	{Name: "netDevices", Read: func(r *reader, v *Linux) { jsonread.Map(r, &v.NetDevices, readNetDevice) }},
	{Name: "seccomp", Read: func(r *reader, v *Linux) { jsonread.Raw(r, &v.Seccomp) }},
	{Name: "rootfsPropagation", Read: func(r *reader, v *Linux) { jsonread.String(r, &v.RootfsPropagation) }},
	{Name: "maskedPaths", Read: func(r *reader, v *Linux) { jsonread.Strings(r, &v.MaskedPaths) }},
	{Name: "readonlyPaths", Read: func(r *reader, v *Linux) { jsonread.Strings(r, &v.ReadonlyPaths) }},
	{Name: "mountLabel", Read: func(r *reader, v *Linux) { jsonread.String(r, &v.MountLabel) }},
	{Name: "intelRdt", Read: func(r *reader, v *Linux) { jsonread.Any(r, &v.IntelRdt) }},
	{Name: "memoryPolicy", Read: func(r *reader, v *Linux) { jsonread.Pointer(r, &v.MemoryPolicy, readMemoryPolicy) }},
	{Name: "personality", Read: func(r *reader, v *Linux) { jsonread.Pointer(r, &v.Personality, readPersonality) }},
	{Name: "timeOffsets", Read: func(r *reader, v *Linux) { jsonread.Map(r, &v.TimeOffsets, readTimeOffset) }},
}

func readLinux(r *reader, v *Linux) { jsonread.Object(r, v, linuxFields) }

var idMappingFields = []jsonread.Field[IDMapping]{
	{Name: "containerID", Read: func(r *reader, v *IDMapping) { jsonread.Integer(r, &v.ContainerID) }},
	{Name: "hostID", Read: func(r *reader, v *IDMapping) { jsonread.Integer(r, &v.HostID) }},
	{Name: "size", Read: func(r *reader, v *IDMapping) { jsonread.Integer(r, &v.Size) }},
}

func readIDMapping(r *reader, v *IDMapping) { jsonread.Object(r, v, idMappingFields) }

var timeOffsetFields = []jsonread.Field[TimeOffset]{
	{Name: "secs", Read: func(r *reader, v *TimeOffset) { jsonread.Integer(r, &v.Secs) }},
	{Name: "nanosecs", Read: func(r *reader, v *TimeOffset) { jsonread.Integer(r, &v.Nanosecs) }},
}

func readTimeOffset(r *reader, v *TimeOffset) { jsonread.Object(r, v, timeOffsetFields) }

var namespaceFields = []jsonread.Field[Namespace]{
	{Name: "type", Read: func(r *reader, v *Namespace) { jsonread.String(r, &v.Type) }},
	{Name: "path", Read: func(r *reader, v *Namespace) { jsonread.String(r, &v.Path) }},
}

func readNamespace(r *reader, v *Namespace) { jsonread.Object(r, v, namespaceFields) }

var netDeviceFields = []jsonread.Field[NetDevice]{
	{Name: "name", Read: func(r *reader, v *NetDevice) { jsonread.String(r, &v.Name) }},
}

func readNetDevice(r *reader, v *NetDevice) { jsonread.Object(r, v, netDeviceFields) }

var deviceFields = []jsonread.Field[Device]{
	{Name: "path", Read: func(r *reader, v *Device) { jsonread.String(r, &v.Path) }},
	{Name: "type", Read: func(r *reader, v *Device) { jsonread.String(r, &v.Type) }},
	{Name: "major", Read: func(r *reader, v *Device) { jsonread.Integer(r, &v.Major) }},
	{Name: "minor", Read: func(r *reader, v *Device) { jsonread.Integer(r, &v.Minor) }},
	{Name: "fileMode", Read: func(r *reader, v *Device) { jsonread.Pointer(r, &v.FileMode, jsonread.Integer[uint32]) }},
	{Name: "uid", Read: func(r *reader, v *Device) { jsonread.Pointer(r, &v.UID, jsonread.Integer[uint32]) }},
	{Name: "gid", Read: func(r *reader, v *Device) { jsonread.Pointer(r, &v.GID, jsonread.Integer[uint32]) }},
}

func readDevice(r *reader, v *Device) { jsonread.Object(r, v, deviceFields) }

var resourcesFields = []jsonread.Field[Resources]{
	{Name: "unified", Read: func(r *reader, v *Resources) { jsonread.Map(r, &v.Unified, jsonread.String) }},
	{Name: "devices", Read: func(r *reader, v *Resources) { jsonread.List(r, &v.Devices, readDeviceRule) }},
	{Name: "memory", Read: func(r *reader, v *Resources) { jsonread.Pointer(r, &v.Memory, readMemory) }},
	{Name: "cpu", Read: func(r *reader, v *Resources) { jsonread.Pointer(r, &v.CPU, readCPU) }},
	{Name: "pids", Read: func(r *reader, v *Resources) { jsonread.Pointer(r, &v.Pids, readPids) }},
	{Name: "blockIO", Read: func(r *reader, v *Resources) { jsonread.Pointer(r, &v.BlockIO, readBlockIO) }},
	{Name: "hugepageLimits", Read: func(r *reader, v *Resources) {
		jsonread.List(r, &v.HugepageLimits, readHugepageLimit)
	}},
	{Name: "network", Read: func(r *reader, v *Resources) { jsonread.Pointer(r, &v.Network, readNetwork) }},
	{Name: "rdma", Read: func(r *reader, v *Resources) { jsonread.Map(r, &v.Rdma, readRdma) }},
}

func readResources(r *reader, v *Resources) { jsonread.Object(r, v, resourcesFields) }

var deviceRuleFields = []jsonread.Field[DeviceRule]{
	{Name: "allow", Read: func(r *reader, v *DeviceRule) { jsonread.Bool(r, &v.Allow) }},
	{Name: "type", Read: func(r *reader, v *DeviceRule) { jsonread.String(r, &v.Type) }},
	{Name: "major", Read: func(r *reader, v *DeviceRule) { jsonread.Pointer(r, &v.Major, jsonread.Integer[int64]) }},
	{Name: "minor", Read: func(r *reader, v *DeviceRule) { jsonread.Pointer(r, &v.Minor, jsonread.Integer[int64]) }},
	{Name: "access", Read: func(r *reader, v *DeviceRule) { jsonread.String(r, &v.Access) }},
}

func readDeviceRule(r *reader, v *DeviceRule) { jsonread.Object(r, v, deviceRuleFields) }

var memoryFields = []jsonread.Field[Memory]{
	{Name: "limit", Read: func(r *reader, v *Memory) { jsonread.Pointer(r, &v.Limit, jsonread.Integer[int64]) }},
	{Name: "reservation", Read: func(r *reader, v *Memory) {
		jsonread.Pointer(r, &v.Reservation, jsonread.Integer[int64])
	}},
	{Name: "swap", Read: func(r *reader, v *Memory) { jsonread.Pointer(r, &v.Swap, jsonread.Integer[int64]) }},
	{Name: "kernel", Read: func(r *reader, v *Memory) { jsonread.Pointer(r, &v.Kernel, jsonread.Integer[int64]) }},
	{Name: "kernelTCP", Read: func(r *reader, v *Memory) {
		jsonread.Pointer(r, &v.KernelTCP, jsonread.Integer[int64])
	}},
	{Name: "swappiness", Read: func(r *reader, v *Memory) {
		jsonread.Pointer(r, &v.Swappiness, jsonread.Integer[uint64])
	}},
	{Name: "disableOOMKiller", Read: func(r *reader, v *Memory) {
		jsonread.Pointer(r, &v.DisableOOMKiller, jsonread.Bool)
	}},
	{Name: "useHierarchy", Read: func(r *reader, v *Memory) { jsonread.Pointer(r, &v.UseHierarchy, jsonread.Bool) }},
	{Name: "checkBeforeUpdate", Read: func(r *reader, v *Memory) {
		jsonread.Pointer(r, &v.CheckBeforeUpdate, jsonread.Bool)
	}},
}

func readMemory(r *reader, v *Memory) { jsonread.Object(r, v, memoryFields) }

var cpuFields = []jsonread.Field[CPU]{
	{Name: "shares", Read: func(r *reader, v *CPU) { jsonread.Pointer(r, &v.Shares, jsonread.Integer[uint64]) }},
	{Name: "quota", Read: func(r *reader, v *CPU) { jsonread.Pointer(r, &v.Quota, jsonread.Integer[int64]) }},
	{Name: "burst", Read: func(r *reader, v *CPU) { jsonread.Pointer(r, &v.Burst, jsonread.Integer[uint64]) }},
	{Name: "period", Read: func(r *reader, v *CPU) { jsonread.Pointer(r, &v.Period, jsonread.Integer[uint64]) }},
	{Name: "realtimeRuntime", Read: func(r *reader, v *CPU) {
		jsonread.Pointer(r, &v.RealtimeRuntime, jsonread.Integer[int64])
	}},
	{Name: "realtimePeriod", Read: func(r *reader, v *CPU) {
		jsonread.Pointer(r, &v.RealtimePeriod, jsonread.Integer[uint64])
	}},
	{Name: "cpus", Read: func(r *reader, v *CPU) { jsonread.String(r, &v.Cpus) }},
	{Name: "mems", Read: func(r *reader, v *CPU) { jsonread.String(r, &v.Mems) }},
	{Name: "idle", Read: func(r *reader, v *CPU) { jsonread.Pointer(r, &v.Idle, jsonread.Integer[int64]) }},
}

func readCPU(r *reader, v *CPU) { jsonread.Object(r, v, cpuFields) }

var pidsFields = []jsonread.Field[Pids]{
	{Name: "limit", Read: func(r *reader, v *Pids) { jsonread.Pointer(r, &v.Limit, jsonread.Integer[int64]) }},
}

func readPids(r *reader, v *Pids) { jsonread.Object(r, v, pidsFields) }

var blockIOFields = []jsonread.Field[BlockIO]{
	{Name: "weight", Read: func(r *reader, v *BlockIO) { jsonread.Pointer(r, &v.Weight, jsonread.Integer[uint16]) }},
	{Name: "leafWeight", Read: func(r *reader, v *BlockIO) {
		jsonread.Pointer(r, &v.LeafWeight, jsonread.Integer[uint16])
	}},
	{Name: "weightDevice", Read: func(r *reader, v *BlockIO) { jsonread.List(r, &v.WeightDevice, readWeightDevice) }},
	{Name: "throttleReadBpsDevice", Read: func(r *reader, v *BlockIO) {
		jsonread.List(r, &v.ThrottleReadBpsDevice, readThrottleDevice)
	}},
	{Name: "throttleWriteBpsDevice", Read: func(r *reader, v *BlockIO) {
		jsonread.List(r, &v.ThrottleWriteBpsDevice, readThrottleDevice)
	}},
	{Name: "throttleReadIOPSDevice", Read: func(r *reader, v *BlockIO) {
		jsonread.List(r, &v.ThrottleReadIOPSDevice, readThrottleDevice)
	}},
	{Name: "throttleWriteIOPSDevice", Read: func(r *reader, v *BlockIO) {
		jsonread.List(r, &v.ThrottleWriteIOPSDevice, readThrottleDevice)
	}},
}

func readBlockIO(r *reader, v *BlockIO) { jsonread.Object(r, v, blockIOFields) }

var weightDeviceFields = []jsonread.Field[WeightDevice]{
	{Name: "major", Read: func(r *reader, v *WeightDevice) { jsonread.Integer(r, &v.Major) }},
	{Name: "minor", Read: func(r *reader, v *WeightDevice) { jsonread.Integer(r, &v.Minor) }},
	{Name: "weight", Read: func(r *reader, v *WeightDevice) {
		jsonread.Pointer(r, &v.Weight, jsonread.Integer[uint16])
	}},
	{Name: "leafWeight", Read: func(r *reader, v *WeightDevice) {
		jsonread.Pointer(r, &v.LeafWeight, jsonread.Integer[uint16])
	}},
}

func readWeightDevice(r *reader, v *WeightDevice) { jsonread.Object(r, v, weightDeviceFields) }

var throttleDeviceFields = []jsonread.Field[ThrottleDevice]{
	{Name: "major", Read: func(r *reader, v *ThrottleDevice) { jsonread.Integer(r, &v.Major) }},
	{Name: "minor", Read: func(r *reader, v *ThrottleDevice) { jsonread.Integer(r, &v.Minor) }},
	{Name: "rate", Read: func(r *reader, v *ThrottleDevice) { jsonread.Integer(r, &v.Rate) }},
}

func readThrottleDevice(r *reader, v *ThrottleDevice) { jsonread.Object(r, v, throttleDeviceFields) }

var hugepageLimitFields = []jsonread.Field[HugepageLimit]{
	{Name: "pageSize", Read: func(r *reader, v *HugepageLimit) { jsonread.String(r, &v.PageSize) }},
	{Name: "limit", Read: func(r *reader, v *HugepageLimit) { jsonread.Integer(r, &v.Limit) }},
}

func readHugepageLimit(r *reader, v *HugepageLimit) { jsonread.Object(r, v, hugepageLimitFields) }

var networkFields = []jsonread.Field[Network]{
	{Name: "classID", Read: func(r *reader, v *Network) { jsonread.Pointer(r, &v.ClassID, jsonread.Integer[uint32]) }},
	{Name: "priorities", Read: func(r *reader, v *Network) { jsonread.List(r, &v.Priorities, readInterfacePriority) }},
}

func readNetwork(r *reader, v *Network) { jsonread.Object(r, v, networkFields) }

var interfacePriorityFields = []jsonread.Field[InterfacePriority]{
	{Name: "name", Read: func(r *reader, v *InterfacePriority) { jsonread.String(r, &v.Name) }},
	{Name: "priority", Read: func(r *reader, v *InterfacePriority) { jsonread.Integer(r, &v.Priority) }},
}

func readInterfacePriority(r *reader, v *InterfacePriority) {
	jsonread.Object(r, v, interfacePriorityFields)
}

var rdmaFields = []jsonread.Field[Rdma]{
	{Name: "hcaHandles", Read: func(r *reader, v *Rdma) {
		jsonread.Pointer(r, &v.HcaHandles, jsonread.Integer[uint32])
	}},
	{Name: "hcaObjects", Read: func(r *reader, v *Rdma) {
		jsonread.Pointer(r, &v.HcaObjects, jsonread.Integer[uint32])
	}},
}

func readRdma(r *reader, v *Rdma) { jsonread.Object(r, v, rdmaFields) }
