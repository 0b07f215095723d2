package systemd

import (
	"math"
	"strconv"
	"strings"

	"github.com/handfast/handfast/cgroupfs"
)

// Property is a property of a unit.
type Property struct {
	Name  string
	Value Value
}

// String returns the property in one line, with its value in GVariant's text format.
func (p Property) String() string { return p.Name + " = " + p.Value.String() }

// Host is what a plan must know about systemd and the host.
type Host struct {
	Version int         // of systemd; properties that it does not know are left out
	V2      bool        // only cgroup v2 is mounted; else the properties are those for v1
	Devices DeviceNames // see ParseDeviceNames
}

// Base returns the properties that every container's unit has, whatever its limits: its description and slice,
// accounting for every controller, and independence of other units' jobs. A scope starts with the process pid, and its
// group is delegated to the container (systemd's "Control Group APIs and Delegation"); a slice has neither.
func (h Host) Base(u Unit, description string, pid int) []Property {
	all := []Property{{"Description", text(description)}}
	if u.isSlice() {
		if u.Slice != rootSlice {
			all = append(all, Property{"Wants", texts(u.Slice)})
		}
	} else {
		all = append(all, Property{"Slice", text(u.Slice)}, Property{"Delegate", boolean(true)},
			Property{"PIDs", numbers([]int{pid})})
	}
	counted := []string{"CPUAccounting", "MemoryAccounting", "BlockIOAccounting", "TasksAccounting"}
	if h.V2 {
		counted[2] = "IOAccounting"
	}
	for _, name := range counted {
		all = append(all, Property{name, boolean(true)})
	}
	return append(all, Property{"DefaultDependencies", boolean(false)})
}

// since returns the first version of systemd that has a property, from its NEWS; 0 if every version in use has it.
func since(name string) int {
	switch name {
	case "TasksMax", "TasksAccounting":
		return 227
	case "IOAccounting", "IOWeight":
		return 230
	case "MemoryMax", "MemoryHigh", "MemoryLow":
		return 231
	case "MemorySwapMax", "CPUWeight":
		return 232
	case "MemoryMin":
		return 240
	case "CPUQuotaPeriodUSec":
		return 242
	case "AllowedCPUs", "AllowedMemoryNodes":
		return 244
	case "MemoryZSwapMax":
		return 253
	}
	return 0
}

// minIdle is the first version that accepts a CPUWeight of 0 for cpu.idle (NEWS, "CHANGES WITH 252").
const minIdle = 252

// Plan returns the properties that systemd has for the resources, in a fixed order. It is pure. It leaves out limits
// for which systemd, or this version of it, has no property: package cgroupfs writes its whole plan to the unit's group
// afterwards. So the limits that systemd does not know are in force too, and those that it may write again later are
// the same.
//
// The error names an invalid value, and wraps EINVAL.
func (h Host) Plan(r *cgroupfs.Resources) ([]Property, error) {
	p := &planner{host: h, r: r}
	parts := []func() error{p.memory, p.cpu, p.tasks, p.io, p.cpuset, p.unified, p.devices}
	for _, part := range parts {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return p.all, nil
}

// planner is the state of one call of Plan.
type planner struct {
	host Host
	r    *cgroupfs.Resources
	all  []Property
}

// add adds a property to the plan, and replaces an earlier one with the same name.
func (p *planner) add(name string, v Value) {
	if p.host.Version < since(name) {
		return
	}
	for i := range p.all {
		if p.all[i].Name == name && v.kind != deviceList {
			p.all[i].Value = v
			return
		}
	}
	p.all = append(p.all, Property{name, v})
}

// infinity means no limit (CGROUP_LIMIT_MAX and the like).
const infinity = math.MaxUint64

func limit(n int64) Value {
	if n < 0 {
		return uint64v(infinity)
	}
	return uint64v(uint64(n))
}

func (p *planner) memory() error {
	r := p.r
	if !p.host.V2 {
		if r.Memory != nil {
			p.add("MemoryLimit", limit(*r.Memory))
		}
		return nil
	}
	if r.Memory != nil {
		p.add("MemoryMax", limit(*r.Memory))
	}
	if r.MemoryReservation != nil {
		p.add("MemoryLow", limit(*r.MemoryReservation))
	}
	// v2 counts swap alone; the resources count memory and swap together.
	switch swap := r.MemorySwap; {
	case swap == nil:
	case *swap < 0 || r.Memory != nil && *r.Memory < 0:
		p.add("MemorySwapMax", limit(-1))
	case r.Memory == nil || *swap < *r.Memory:
		return invalid("memory and swap together: %d without a smaller limit of memory", *swap)
	default:
		p.add("MemorySwapMax", uint64v(uint64(*swap-*r.Memory)))
	}
	return nil
}

// tasks: systemd refuses 0, and with a limit of 1 the first task cannot create another either.
func (p *planner) tasks() error {
	if n := p.r.Pids; n != nil {
		if *n == 0 {
			p.add("TasksMax", uint64v(1))
		} else {
			p.add("TasksMax", limit(*n))
		}
	}
	return nil
}

func (p *planner) io() error {
	w := p.r.IOWeight
	switch {
	case w == nil:
	case *w < 1 || *w > 1000:
		return invalid("io weight: %d; want 1 to 1000", *w)
	case p.host.V2:
		p.add("IOWeight", uint64v(ioWeight(uint64(*w))))
	default:
		p.add("BlockIOWeight", uint64v(max(uint64(*w), 10))) // CGROUP_BLKIO_WEIGHT_MIN
	}
	return nil
}

// ioWeight is the linear function of package cgroupfs for io.weight.
func ioWeight(w uint64) uint64 {
	if w <= 10 {
		return 1
	}
	return 1 + (w-10)*9999/990
}

// number parses a limit in the form of v2's files.
func number(file, value string) (uint64, error) {
	value = strings.TrimSpace(value)
	if value == "max" {
		return infinity, nil
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return 0, invalid("unified %s: %q; want a number or max", file, value)
	}
	return n, nil
}
