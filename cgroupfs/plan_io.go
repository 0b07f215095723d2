package cgroupfs

import "strconv"

// Weights of the bfq scheduler, block/bfq-iosched.h: BFQ_MIN_WEIGHT and BFQ_MAX_WEIGHT.
const minIOWeight, maxIOWeight = 1, 1000

func (p *planner) io() error {
	r := p.r
	check := func(property string, w *uint16) error {
		if w != nil && (*w < minIOWeight || *w > maxIOWeight) {
			return invalid(property, "%d; want %d to %d", *w, minIOWeight, maxIOWeight)
		}
		return nil
	}
	if err := check("io weight", r.IOWeight); err != nil {
		return err
	}
	if err := check("io leaf weight", r.IOLeafWeight); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range r.IODevices {
		d := &r.IODevices[i]
		if seen[d.number()] {
			return invalid("io device "+d.number(), "stands twice")
		}
		seen[d.number()] = true
		if err := check("io weight of device "+d.number(), d.Weight); err != nil {
			return err
		}
		if err := check("io leaf weight of device "+d.number(), d.LeafWeight); err != nil {
			return err
		}
	}
	if p.v2 {
		return p.ioV2()
	}
	p.ioV1()
	return nil
}

func (d *IODevice) number() string {
	return strconv.FormatUint(uint64(d.Major), 10) + ":" + strconv.FormatUint(uint64(d.Minor), 10)
}

// ioV1 writes weights for bfq, the only v1 scheduler with weights since Linux 5.0 (block/bfq-cgroup.c), or else for
// cfq, which had leaf weights too (Documentation/cgroup-v1/blkio-controller.txt of Linux 4.20).
func (p *planner) ioV1() {
	r := p.r
	weight := func(file, otherwise, value string) {
		p.addOr(Write{Controller: "blkio", File: file, Value: value}, Write{Controller: "blkio", File: otherwise,
			Value: value})
	}
	if r.IOWeight != nil {
		weight("blkio.bfq.weight", "blkio.weight", utoa(uint64(*r.IOWeight)))
	}
	if r.IOLeafWeight != nil {
		p.add("blkio", "blkio.leaf_weight", utoa(uint64(*r.IOLeafWeight)))
	}
	for i := range r.IODevices {
		d := &r.IODevices[i]
		if d.Weight != nil {
			weight("blkio.bfq.weight_device", "blkio.weight_device", d.number()+" "+utoa(uint64(*d.Weight)))
		}
		if d.LeafWeight != nil {
			p.add("blkio", "blkio.leaf_weight_device", d.number()+" "+utoa(uint64(*d.LeafWeight)))
		}
		for _, t := range [...]struct {
			file string
			rate *uint64
		}{
			{"blkio.throttle.read_bps_device", d.ReadBps}, {"blkio.throttle.write_bps_device", d.WriteBps},
			{"blkio.throttle.read_iops_device", d.ReadIOPS}, {"blkio.throttle.write_iops_device", d.WriteIOPS},
		} {
			if t.rate != nil { // 0 removes the limit (block/blk-throttle.c, tg_set_conf)
				p.add("blkio", t.file, d.number()+" "+utoa(*t.rate))
			}
		}
	}
}

func (p *planner) ioV2() error {
	r := p.r
	if r.IOLeafWeight != nil {
		return p.unsupportedOnV2("io leaf weight", "v2 holds no processes beside groups")
	}
	weight := func(device string, w uint16) {
		p.addOr(Write{Controller: "io", File: "io.bfq.weight", Value: device + utoa(uint64(w))},
			Write{Controller: "io", File: "io.weight", Value: device + utoa(ioWeight(w))})
	}
	if r.IOWeight != nil {
		weight("", *r.IOWeight)
	}
	for i := range r.IODevices {
		d := &r.IODevices[i]
		if d.LeafWeight != nil {
			return p.unsupportedOnV2("io leaf weight of device "+d.number(), "v2 holds no processes beside groups")
		}
		if d.Weight != nil {
			weight(d.number()+" ", *d.Weight)
		}
		value := ""
		for _, t := range [...]struct {
			key  string
			rate *uint64
		}{{" rbps=", d.ReadBps}, {" wbps=", d.WriteBps}, {" riops=", d.ReadIOPS}, {" wiops=", d.WriteIOPS}} {
			switch {
			case t.rate == nil:
			case *t.rate == 0: // which io.max refuses (block/blk-throttle.c, tg_set_limit)
				value += t.key + "max"
			default:
				value += t.key + utoa(*t.rate)
			}
		}
		if value != "" {
			p.add("io", "io.max", d.number()+value)
		}
	}
	return nil
}

// ioWeight converts a weight of bfq, of which OCI allows 10 to 1000, to one of io.weight, 1 to 10000
// (include/linux/cgroup.h, CGROUP_WEIGHT_MAX), by the linear function that OCI runtimes agree on
// (github.com/opencontainers/cgroups, ConvertBlkIOToIOWeightValue).
func ioWeight(w uint16) uint64 {
	if w <= 10 {
		return 1
	}
	return 1 + (uint64(w)-10)*9999/990
}
