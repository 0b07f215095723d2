package usage

import (
	"strings"
	"time"

	"github.com/handfast/handfast/cgroupfs"
)

// Sample is what a container uses at one moment, or has used so far.
type Sample struct {
	At  time.Duration // of a clock that nobody sets
	CPU uint64        // nanoseconds so far

	Memory, MemoryLimit uint64 // bytes; without the part of the page cache that the kernel can drop at once
	Pids, PidsLimit     uint64 // 0: no limit

	Read, Written        uint64 // bytes of block devices so far
	Received, Sent       uint64 // bytes of the network so far
	HasIO, HasInterfaces bool   // whether those of devices, and of the network, are known
}

// SampleOf returns the sample of a reading. host is the memory of the machine, which is the limit of a container that
// has none or a higher one.
func SampleOf(at time.Duration, s *cgroupfs.Stats, interfaces []cgroupfs.NetworkInterface, host uint64) Sample {
	out := Sample{At: at, CPU: s.CPU.Usage, Memory: workingSet(&s.Memory), MemoryLimit: min(s.Memory.Usage.Limit, host),
		Pids: s.Pids.Current}
	if out.MemoryLimit == 0 {
		out.MemoryLimit = host
	}
	if s.Pids.Limit != cgroupfs.Unlimited {
		out.PidsLimit = s.Pids.Limit
	}
	for _, e := range s.IO.Bytes {
		switch {
		case strings.EqualFold(e.Op, "read"):
			out.Read, out.HasIO = out.Read+e.Value, true
		case strings.EqualFold(e.Op, "write"):
			out.Written, out.HasIO = out.Written+e.Value, true
		}
	}
	for _, n := range interfaces {
		if n.Name != "lo" { // loopback traffic does not count
			out.Received, out.Sent, out.HasInterfaces = out.Received+n.RxBytes, out.Sent+n.TxBytes, true
		}
	}
	return out
}

// workingSet is the memory in use without the inactive page cache, as docker stats and the kubelet count it.
func workingSet(m *cgroupfs.MemoryStats) uint64 {
	inactive := uint64(0)
	for _, c := range m.Stat {
		// v1 has both: total_ includes the groups below, as the usage does.
		if c.Name == "total_inactive_file" || c.Name == "inactive_file" && inactive == 0 {
			inactive = c.Value
		}
	}
	return m.Usage.Usage - min(inactive, m.Usage.Usage)
}

// Rates are what a container used between two samples.
type Rates struct {
	CPU                           float64 // percent of one processor
	Read, Written, Received, Sent float64 // bytes per second
}

// Between returns the rates from one sample to a later one of the same container. A counter that went backwards,
// because a device or an interface has gone, counts as not having changed. ok is false if no time has passed.
func Between(before, now Sample) (r Rates, ok bool) {
	seconds := (now.At - before.At).Seconds()
	if seconds <= 0 {
		return Rates{}, false
	}
	rate := func(a, b uint64) float64 {
		if b < a {
			return 0
		}
		return float64(b-a) / seconds
	}
	return Rates{
		CPU:  rate(before.CPU, now.CPU) / 1e9 * 100,
		Read: rate(before.Read, now.Read), Written: rate(before.Written, now.Written),
		Received: rate(before.Received, now.Received), Sent: rate(before.Sent, now.Sent),
	}, true
}
