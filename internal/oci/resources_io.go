package oci

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/handfast/handfast/cgroupfs"
)

// blockIO collects the settings of each device, which can be in up to five lists.
func (l *limits) blockIO(r *Resources) error {
	in := r.BlockIO
	if in == nil {
		return nil
	}
	const at = resourcesAt + "blockIO."
	var err error
	if l.out.IOWeight, err = weight(at+"weight", in.Weight); err != nil {
		return err
	}
	if l.out.IOLeafWeight, err = weight(at+"leafWeight", in.LeafWeight); err != nil {
		return err
	}
	for i, w := range in.WeightDevice {
		at := fmt.Sprintf("%sweightDevice[%d].", at, i)
		d, err := l.ioDevice(at, w.Major, w.Minor)
		if err != nil {
			return err
		}
		if d.Weight, err = weight(at+"weight", w.Weight); err != nil {
			return err
		}
		if d.LeafWeight, err = weight(at+"leafWeight", w.LeafWeight); err != nil {
			return err
		}
	}
	for _, list := range [...]struct {
		name string
		in   []ThrottleDevice
		into func(*cgroupfs.IODevice) **uint64
	}{
		{"throttleReadBpsDevice", in.ThrottleReadBpsDevice, func(d *cgroupfs.IODevice) **uint64 { return &d.ReadBps }},
		{"throttleWriteBpsDevice", in.ThrottleWriteBpsDevice, func(d *cgroupfs.IODevice) **uint64 { return &d.WriteBps }},
		{"throttleReadIOPSDevice", in.ThrottleReadIOPSDevice, func(d *cgroupfs.IODevice) **uint64 { return &d.ReadIOPS }},
		{"throttleWriteIOPSDevice", in.ThrottleWriteIOPSDevice, func(d *cgroupfs.IODevice) **uint64 { return &d.WriteIOPS }},
	} {
		for i, t := range list.in {
			d, err := l.ioDevice(fmt.Sprintf("%s%s[%d].", at, list.name, i), t.Major, t.Minor)
			if err != nil {
				return err
			}
			if t.Rate != 0 || l.update {
				*list.into(d) = &t.Rate
			}
		}
	}
	l.out.IODevices = slices.DeleteFunc(l.out.IODevices, func(d cgroupfs.IODevice) bool {
		return d == cgroupfs.IODevice{Major: d.Major, Minor: d.Minor}
	})
	if len(l.out.IODevices) == 0 {
		l.out.IODevices = nil
	}
	return nil
}

// weight returns nil for a weight of zero, which clients write for weights that they do not set.
func weight(property string, w *uint16) (*uint16, error) {
	if deref(w) == 0 {
		return nil, nil
	}
	if *w < 10 || *w > 1000 {
		return nil, wrong(property, "%d; want 10 to 1000", *w)
	}
	return w, nil
}

// ioDevice returns the entry of a device. The pointer is valid until the next call.
func (l *limits) ioDevice(at string, major, minor int64) (*cgroupfs.IODevice, error) {
	for _, n := range [...]struct {
		name  string
		value int64
	}{{"major", major}, {"minor", minor}} {
		if n.value < 0 || n.value > math.MaxUint32 {
			return nil, wrong(at+n.name, "%d; want 0 to %d", n.value, uint32(math.MaxUint32))
		}
	}
	for i := range l.out.IODevices {
		if d := &l.out.IODevices[i]; int64(d.Major) == major && int64(d.Minor) == minor {
			return d, nil
		}
	}
	l.out.IODevices = append(l.out.IODevices, cgroupfs.IODevice{Major: uint32(major), Minor: uint32(minor)})
	return &l.out.IODevices[len(l.out.IODevices)-1], nil
}

func (l *limits) hugepages(r *Resources) error {
	for i, h := range r.HugepageLimits {
		if slices.ContainsFunc(r.HugepageLimits[:i], func(o HugepageLimit) bool { return o.PageSize == h.PageSize }) {
			return wrong(fmt.Sprintf("%shugepageLimits[%d].pageSize", resourcesAt, i), "%q stands twice", h.PageSize)
		}
		if !hugePageSize(h.PageSize) {
			return wrong(fmt.Sprintf("%shugepageLimits[%d].pageSize", resourcesAt, i),
				"%q; want a huge page size such as 2MB: a power of two and KB, MB or GB", h.PageSize)
		}
		l.out.Hugepages = append(l.out.Hugepages, cgroupfs.Hugepage(h))
	}
	return nil
}

// hugePageSize reports whether any kernel could have huge pages of this size.
func hugePageSize(size string) bool {
	digits, unit := strings.TrimRight(size, "KMGB"), strings.TrimLeft(size, "0123456789")
	n, err := strconv.ParseUint(digits, 10, 32)
	return err == nil && n > 0 && n&(n-1) == 0 && digits[0] != '0' && (unit == "KB" || unit == "MB" || unit == "GB")
}

func (l *limits) network(r *Resources) error {
	if r.Network == nil {
		return nil
	}
	if deref(r.Network.ClassID) != 0 || l.update {
		l.out.NetClass = r.Network.ClassID
	}
	for _, p := range r.Network.Priorities {
		l.out.NetPriorities = append(l.out.NetPriorities, cgroupfs.NetPriority{Interface: p.Name, Priority: p.Priority})
	}
	return nil
}

func (l *limits) rdma(r *Resources) error {
	for _, device := range slices.Sorted(maps.Keys(r.Rdma)) {
		if d := r.Rdma[device]; d.HcaHandles != nil || d.HcaObjects != nil {
			l.out.RDMA = append(l.out.RDMA, cgroupfs.RDMA{Device: device, Handles: d.HcaHandles, Objects: d.HcaObjects})
		}
	}
	return nil
}
