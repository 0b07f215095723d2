package state

import (
	"encoding/json"
	"fmt"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/jsonread"
)

// EncodeResources encodes limits in the form that DecodeResources and encoding/json read. It is written by hand,
// because otherwise every start of a container would pay for encoding/json's analysis of such a large type,
// although only update reads the limits again. The result is nil if r is nil or requests nothing.
func EncodeResources(r *cgroupfs.Resources) json.RawMessage {
	if r == nil || r.Empty() && !r.CheckMemory {
		return nil
	}
	o := object{b: make([]byte, 0, 1024)}
	o.open()
	o.limits(r)
	o.lists(r)
	o.close()
	return o.b
}

// DecodeResources decodes limits that EncodeResources encoded. Empty input means limits that request nothing.
func DecodeResources(raw json.RawMessage) (*cgroupfs.Resources, error) {
	r := new(cgroupfs.Resources)
	if len(raw) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("%s is damaged: resources: %w", stateFile, err)
	}
	return r, nil
}

// memoryOnly is the memory limit only.
type memoryOnly struct{ memory *int64 }

var memoryFields = []jsonread.Field[memoryOnly]{
	{Name: "memory", Read: func(r *reader, v *memoryOnly) {
		jsonread.Pointer(r, &v.memory, jsonread.Integer[int64])
	}},
}

// DecodeMemory decodes only the memory limit from the output of EncodeResources. It returns nil if there is none.
func DecodeMemory(raw json.RawMessage) (*int64, error) {
	var only memoryOnly
	if len(raw) == 0 || jsonread.Decode(raw, &only, func(r *reader, v *memoryOnly) {
		jsonread.Object(r, v, memoryFields)
	}) {
		return only.memory, nil
	}
	r, err := DecodeResources(raw)
	if err != nil {
		return nil, err
	}
	return r.Memory, nil
}

func (o *object) limits(r *cgroupfs.Resources) {
	number(o, "memory", r.Memory)
	number(o, "memoryReservation", r.MemoryReservation)
	number(o, "memorySwap", r.MemorySwap)
	number(o, "kernelMemory", r.KernelMemory)
	number(o, "kernelMemoryTCP", r.KernelMemoryTCP)
	number(o, "swappiness", r.Swappiness)
	o.boolean("disableOOMKiller", r.DisableOOMKiller)
	o.boolean("useHierarchy", r.UseHierarchy)
	if r.CheckMemory {
		o.boolean("checkMemory", &r.CheckMemory)
	}
	number(o, "cpuShares", r.CPUShares)
	number(o, "cpuQuota", r.CPUQuota)
	number(o, "cpuPeriod", r.CPUPeriod)
	number(o, "cpuBurst", r.CPUBurst)
	number(o, "cpuIdle", r.CPUIdle)
	number(o, "rtRuntime", r.RTRuntime)
	number(o, "rtPeriod", r.RTPeriod)
	o.text("cpus", r.Cpus)
	o.text("mems", r.Mems)
	number(o, "pids", r.Pids)
	number(o, "ioWeight", r.IOWeight)
	number(o, "ioLeafWeight", r.IOLeafWeight)
	number(o, "netClass", r.NetClass)
}

func (o *object) lists(r *cgroupfs.Resources) {
	list(o, "ioDevices", r.IODevices, func(d *cgroupfs.IODevice) {
		number(o, "major", &d.Major)
		number(o, "minor", &d.Minor)
		number(o, "weight", d.Weight)
		number(o, "leafWeight", d.LeafWeight)
		number(o, "readBps", d.ReadBps)
		number(o, "writeBps", d.WriteBps)
		number(o, "readIOPS", d.ReadIOPS)
		number(o, "writeIOPS", d.WriteIOPS)
	})
	list(o, "hugepages", r.Hugepages, func(h *cgroupfs.Hugepage) {
		o.text("pageSize", h.PageSize)
		number(o, "limit", &h.Limit)
	})
	list(o, "netPriorities", r.NetPriorities, func(n *cgroupfs.NetPriority) {
		o.text("interface", n.Interface)
		number(o, "priority", &n.Priority)
	})
	list(o, "rdma", r.RDMA, func(d *cgroupfs.RDMA) {
		o.text("device", d.Device)
		number(o, "handles", d.Handles)
		number(o, "objects", d.Objects)
	})
	list(o, "misc", r.Misc, func(m *cgroupfs.Misc) {
		o.text("name", m.Name)
		number(o, "max", &m.Max)
	})
	list(o, "dmem", r.DMem, func(d *cgroupfs.DMem) {
		o.text("region", d.Region)
		number(o, "max", d.Max)
		number(o, "low", d.Low)
		number(o, "min", d.Min)
	})
	list(o, "unified", r.Unified, func(u *cgroupfs.Unified) {
		o.text("file", u.File)
		o.text("value", u.Value)
	})
	list(o, "devices", r.Devices, func(d *cgroupfs.DeviceRule) {
		o.boolean("allow", &d.Allow)
		o.text("type", d.Type)
		number(o, "major", d.Major)
		number(o, "minor", d.Minor)
		o.text("access", d.Access)
	})
}
