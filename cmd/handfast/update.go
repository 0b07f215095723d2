package main

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"strconv"

	"github.com/handfast/handfast/internal/lifecycle"
	"github.com/handfast/handfast/internal/oci"
)

// limitOption is one limit that update takes on its command line.
type limitOption struct {
	name, value, help string
	set               func(*oci.Resources, string) error // nil: accepted and ignored, and not in the help
}

// limitOptions returns the limits of runc's update, under the same names.
func limitOptions() []limitOption {
	const microseconds = "MICROSECONDS"
	return []limitOption{
		{"memory", "BYTES", "limit of memory, such as 64m; -1 is none", func(r *oci.Resources,
			v string) error {
			return setBytes(v, &memoryOf(r).Limit)
		}},
		{"memory-reservation", "BYTES", "memory that is left to the container while others have more",
			func(r *oci.Resources, v string) error { return setBytes(v, &memoryOf(r).Reservation) }},
		{"memory-swap", "BYTES", "limit of memory and swap together; -1 is none",
			func(r *oci.Resources, v string) error { return setBytes(v, &memoryOf(r).Swap) }},
		{"cpu-share", "N", "weight of the processors, 2 to 262144 around 1024",
			func(r *oci.Resources, v string) error { return setPositive(v, &cpuOf(r).Shares) }},
		{"cpu-quota", microseconds, "processor time in a period; -1 is no limit",
			func(r *oci.Resources, v string) error { return setNonZero(v, &cpuOf(r).Quota) }},
		{"cpu-period", microseconds, "the period", func(r *oci.Resources, v string) error {
			return setPositive(v,
				&cpuOf(r).Period)
		}},
		{"cpu-burst", microseconds, "unused time that may be saved up", func(r *oci.Resources,
			v string) error {
			return setUnsigned(v, &cpuOf(r).Burst)
		}},
		{"cpu-idle", "0|1", "1 gives only time that nobody else wants", func(r *oci.Resources,
			v string) error {
			return setInteger(v, &cpuOf(r).Idle)
		}},
		{"cpu-rt-runtime", microseconds, "real-time in a period", func(r *oci.Resources,
			v string) error {
			return setNonZero(v, &cpuOf(r).RealtimeRuntime)
		}},
		{"cpu-rt-period", microseconds, "the period of real-time", func(r *oci.Resources,
			v string) error {
			return setPositive(v, &cpuOf(r).RealtimePeriod)
		}},
		{"cpuset-cpus", "LIST", "processors, such as 0-3,7", func(r *oci.Resources,
			v string) error {
			cpuOf(r).Cpus = v
			return nil
		}},
		{"cpuset-mems", "LIST", "memory nodes", func(r *oci.Resources, v string) error { cpuOf(r).Mems = v; return nil }},
		{"pids-limit", "N", "limit of tasks; -1 is none", func(r *oci.Resources,
			v string) error {
			return setInteger(v, &pidsOf(r).Limit)
		}},
		{"blkio-weight", "N", "weight of block devices, 10 to 1000", blockIOWeight},
		{name: "kernel-memory", value: "BYTES"},
		{name: "kernel-memory-tcp", value: "BYTES"},
	}
}

func updateOptions() []option {
	all := []option{{"resources", "r", "FILE", "read limits as JSON in the form of linux.resources; - is standard " +
		"input; the other options are laid over them", func(s *settings) any { return &s.resources }}}
	for _, l := range limitOptions() {
		all = append(all, option{l.name, "", l.value, l.help, func(s *settings) any { return s.limit(l.name) }})
	}
	return append(all,
		option{l3Option, "", "LINES", "lines about cache of the container's class (linux.intelRdt)",
			func(s *settings) any { return s.limit(l3Option) }},
		option{bandwidthOption, "", "LINE", "its line about memory bandwidth",
			func(s *settings) any { return s.limit(bandwidthOption) }})
}

// The options that do not set limits of a control group.
const l3Option, bandwidthOption = "l3-cache-schema", "mem-bw-schema"

// limit returns where the value of an option of update is stored.
func (s *settings) limit(name string) *string {
	if s.limits == nil {
		s.limits = map[string]*string{}
	}
	if s.limits[name] == nil {
		s.limits[name] = new(string)
	}
	return s.limits[name]
}

func (in *invocation) update() (int, error) {
	change, err := in.limitChange()
	if err != nil {
		return failed, fmt.Errorf("update: %w", err)
	}
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	l3, bandwidth := *in.limit(l3Option), *in.limit(bandwidthOption)
	err = r.Update(interruptible(), in.args[0],
		lifecycle.Change{Resources: change, L3CacheSchema: l3, MemBwSchema: bandwidth})
	if err == nil && l3+bandwidth == "" && reflect.DeepEqual(change, &oci.Resources{}) {
		in.log.Warnf("update: no limit was given, so container %s stays as it was", in.args[0])
	}
	return 0, err
}

// limitChange returns the limits that the options and the file of --resources name.
func (in *invocation) limitChange() (r *oci.Resources, err error) {
	switch in.resources {
	case "":
		r = &oci.Resources{}
	case "-":
		r, err = oci.ReadResources(os.Stdin, "standard input")
	default:
		r, err = oci.LoadResources(in.resources)
	}
	if err != nil {
		return nil, fmt.Errorf("--resources: %w", err)
	}
	for _, l := range limitOptions() {
		value := *in.limit(l.name)
		if value == "" || l.set == nil {
			continue
		}
		if err := l.set(r, value); err != nil {
			return nil, fmt.Errorf("--%s %q: %w", l.name, value, err)
		}
	}
	return r, nil
}

func memoryOf(r *oci.Resources) *oci.Memory {
	if r.Memory == nil {
		r.Memory = &oci.Memory{}
	}
	return r.Memory
}

func cpuOf(r *oci.Resources) *oci.CPU {
	if r.CPU == nil {
		r.CPU = &oci.CPU{}
	}
	return r.CPU
}

func pidsOf(r *oci.Resources) *oci.Pids {
	if r.Pids == nil {
		r.Pids = &oci.Pids{}
	}
	return r.Pids
}

func blockIOWeight(r *oci.Resources, v string) error {
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil || n < 10 || n > 1000 {
		return fmt.Errorf("want 10 to 1000")
	}
	if r.BlockIO == nil {
		r.BlockIO = &oci.BlockIO{}
	}
	w := uint16(n)
	r.BlockIO.Weight = &w
	return nil
}

func setInteger(v string, into **int64) error {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return fmt.Errorf("want a whole number")
	}
	*into = &n
	return nil
}

// setNonZero reads a number for which 0 would mean no change.
func setNonZero(v string, into **int64) error {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n == 0 {
		return fmt.Errorf("want a whole number that is not 0")
	}
	*into = &n
	return nil
}

func setUnsigned(v string, into **uint64) error {
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil || n > math.MaxInt64 {
		return fmt.Errorf("want a whole number from 0 on")
	}
	*into = &n
	return nil
}

// setPositive reads a positive number for which 0 would mean no change.
func setPositive(v string, into **uint64) error {
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil || n == 0 || n > math.MaxInt64 {
		return fmt.Errorf("want a whole number from 1 on")
	}
	*into = &n
	return nil
}
