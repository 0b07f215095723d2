package state

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/handfast/handfast/cgroupfs"
)

// EncodeResources is the limits as DecodeResources and package encoding/json read them. It is written out because every
// start of a container would pay for what encoding/json learns of so large a type, and only update reads them again.
// Nil is nothing, and so are limits that ask for nothing.
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

// DecodeResources reads limits that EncodeResources wrote. Nothing is limits that ask for nothing.
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

// object is JSON in the making.
type object struct{ b []byte }

func (o *object) open() { o.b = append(o.b, '{') }

func (o *object) close() { o.b = append(o.b, '}') }

func (o *object) comma() {
	if last := o.b[len(o.b)-1]; last != '{' && last != '[' {
		o.b = append(o.b, ',')
	}
}

func (o *object) key(name string) {
	o.comma()
	o.b = append(strconv.AppendQuote(o.b, name), ':')
}

// text leaves an empty string out.
func (o *object) text(name, value string) {
	if value == "" {
		return
	}
	o.key(name)
	quoted, _ := json.Marshal(value) // of a string it cannot fail
	o.b = append(o.b, quoted...)
}

func (o *object) boolean(name string, value *bool) {
	if value != nil {
		o.key(name)
		o.b = strconv.AppendBool(o.b, *value)
	}
}

func number[T int64 | uint64 | uint32 | uint16](o *object, name string, value *T) {
	if value == nil {
		return
	}
	o.key(name)
	if *value < 0 {
		o.b = strconv.AppendInt(o.b, int64(*value), 10)
	} else {
		o.b = strconv.AppendUint(o.b, uint64(*value), 10)
	}
}

func list[T any](o *object, name string, values []T, each func(*T)) {
	if len(values) == 0 {
		return
	}
	o.key(name)
	o.b = append(o.b, '[')
	for i := range values {
		o.comma()
		o.open()
		each(&values[i])
		o.close()
	}
	o.b = append(o.b, ']')
}
