package usage

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/oneline"
)

// Container is what the metrics of one container are made of.
type Container struct {
	ID, Status string
	Created    time.Time
	Stats      *cgroupfs.Stats // nil: it has no group, or has ended
	Interfaces []cgroupfs.NetworkInterface
}

// OpenMetrics returns the metrics of the containers in the OpenMetrics text format, version 1.0.0
// (https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md). It keeps to what the older
// Prometheus text format has too, which the textfile collector of node_exporter reads: counters and gauges alone, no
// time stamps, no exemplars. What a host does not count is left out, and is not zero.
func OpenMetrics(all []Container) string {
	var b strings.Builder
	for _, f := range families() {
		m := metric{family: f}
		f.of(&m, all)
		m.writeTo(&b)
	}
	b.WriteString("# EOF\n")
	return b.String()
}

// family is a MetricFamily: a name, and what its samples are.
type family struct {
	name, kind, unit, help string
	of                     func(m *metric, all []Container)
}

// metric collects the samples of a family.
type metric struct {
	family
	lines []string
	seen  map[string]bool
}

// add adds a sample. labels are names and values in turn. Of several with the same labels only the first is taken,
// because a collector refuses the whole text for a second one, with the metrics of everything else on the host: a
// container may give two interfaces names that differ only in bytes that a label cannot hold.
func (m *metric) add(value string, labels ...string) {
	name := m.name
	if m.kind == "counter" {
		name += "_total"
	}
	var b strings.Builder
	b.WriteString(name + "{")
	for i := 0; i < len(labels); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(labels[i] + `="` + escapeLabel(labels[i+1]) + `"`)
	}
	b.WriteString("}")
	if m.seen[b.String()] {
		return
	}
	if m.seen == nil {
		m.seen = map[string]bool{}
	}
	m.seen[b.String()] = true
	m.lines = append(m.lines, b.String()+" "+value)
}

func (m *metric) writeTo(b *strings.Builder) {
	if len(m.lines) == 0 {
		return
	}
	b.WriteString("# TYPE " + m.name + " " + m.kind + "\n")
	if m.unit != "" {
		b.WriteString("# UNIT " + m.name + " " + m.unit + "\n")
	}
	b.WriteString("# HELP " + m.name + " " + m.help + "\n")
	for _, l := range m.lines {
		b.WriteString(l + "\n")
	}
}

// escapeLabel escapes a value between quotes; oneline.Of has already removed line feeds.
func escapeLabel(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(oneline.Of(s))
}

func whole(v uint64) string { return strconv.FormatUint(v, 10) }

// seconds prints a time that is given in parts of a second.
func seconds(v, parts uint64) string {
	return strconv.FormatFloat(float64(v)/float64(parts), 'g', -1, 64)
}

const (
	counter = "counter"
	gauge   = "gauge"

	nano  = 1_000_000_000
	micro = 1_000_000
)

// each makes samples of every container that has statistics.
func each(of func(m *metric, id string, s *cgroupfs.Stats)) func(*metric, []Container) {
	return func(m *metric, all []Container) {
		for i := range all {
			if all[i].Stats != nil {
				of(m, all[i].ID, all[i].Stats)
			}
		}
	}
}

// one makes one sample of each container's statistics.
func one(value func(s *cgroupfs.Stats) string) func(*metric, []Container) {
	return each(func(m *metric, id string, s *cgroupfs.Stats) { m.add(value(s), "container", id) })
}

// limited makes a sample where there is a limit. v1 has numbers near the greatest int64 for none.
func limited(limit func(s *cgroupfs.Stats) uint64) func(*metric, []Container) {
	return each(func(m *metric, id string, s *cgroupfs.Stats) {
		if v := limit(s); v > 0 && v < 1<<62 {
			m.add(whole(v), "container", id)
		}
	})
}

// devices makes a sample for each block device and operation. v1 has further entries that are sums of others.
func devices(entries func(s *cgroupfs.Stats) []cgroupfs.IOEntry) func(*metric, []Container) {
	return each(func(m *metric, id string, s *cgroupfs.Stats) {
		for _, e := range entries(s) {
			if op := strings.ToLower(e.Op); op == "read" || op == "write" || op == "discard" {
				m.add(whole(e.Value), "container", id, "device", whole(e.Major)+":"+whole(e.Minor), "operation", op)
			}
		}
	})
}

// network makes two samples for each interface but the loopback one.
func network(received, sent func(n *cgroupfs.NetworkInterface) uint64) func(*metric, []Container) {
	return func(m *metric, all []Container) {
		for i := range all {
			for j := range all[i].Interfaces {
				n := &all[i].Interfaces[j]
				if n.Name == "lo" {
					continue
				}
				for _, d := range []struct {
					name string
					of   func(*cgroupfs.NetworkInterface) uint64
				}{{"receive", received}, {"transmit", sent}} {
					m.add(whole(d.of(n)), "container", all[i].ID, "interface", n.Name, "direction", d.name)
				}
			}
		}
	}
}

// pressure makes the samples of what stalled: some tasks, or all of them.
func pressure(m *metric, id string, s *cgroupfs.Stats) {
	for _, r := range []struct {
		name string
		p    *cgroupfs.Pressure
	}{{"cpu", &s.CPU.Pressure}, {"memory", &s.Memory.Pressure}, {"io", &s.IO.Pressure}} {
		if r.p.Known {
			m.add(seconds(r.p.Some.Total, micro), "container", id, "resource", r.name, "tasks", "some")
			m.add(seconds(r.p.Full.Total, micro), "container", id, "resource", r.name, "tasks", "all")
		}
	}
}

// swap is the swap in use. v1 counts memory and swap together.
func swap(m *cgroupfs.MemoryStats) uint64 {
	if m.SwapAlone {
		return m.Swap.Usage
	}
	return m.Swap.Usage - min(m.Usage.Usage, m.Swap.Usage)
}

// families returns all of them. It is a function, so that commands that print no metrics do not pay for it.
func families() []family {
	return []family{
		{"handfast_containers", gauge, "", "Containers by their status.", func(m *metric, all []Container) {
			count := map[string]uint64{}
			var names []string
			for _, c := range all {
				if count[c.Status]++; count[c.Status] == 1 {
					names = append(names, c.Status)
				}
			}
			slices.Sort(names)
			for _, name := range names {
				m.add(whole(count[name]), "status", name)
			}
		}},
		{"handfast_container_creation_time_seconds", gauge, "seconds", "When the container was created, since the epoch.",
			func(m *metric, all []Container) {
				for _, c := range all {
					m.add(strconv.FormatFloat(float64(c.Created.UnixMilli())/1000, 'f', 3, 64), "container", c.ID)
				}
			}},
		{"handfast_container_running", gauge, "", "1 if the container's process has been executed and has not ended.",
			func(m *metric, all []Container) {
				for _, c := range all {
					m.add(whole(map[string]uint64{state.Running: 1, state.Paused: 1}[c.Status]), "container", c.ID)
				}
			}},
		{"handfast_container_cpu_seconds", counter, "seconds", "Processor time of the container.",
			one(func(s *cgroupfs.Stats) string { return seconds(s.CPU.Usage, nano) })},
		{"handfast_container_cpu_mode_seconds", counter, "seconds", "Processor time in user mode and in the kernel.",
			each(func(m *metric, id string, s *cgroupfs.Stats) {
				m.add(seconds(s.CPU.User, nano), "container", id, "mode", "user")
				m.add(seconds(s.CPU.System, nano), "container", id, "mode", "system")
			})},
		{"handfast_container_cpu_periods", counter, "", "Periods of the quota that have passed.",
			one(func(s *cgroupfs.Stats) string { return whole(s.CPU.Periods) })},
		{"handfast_container_cpu_throttled_periods", counter, "", "Periods in which the quota was used up.",
			one(func(s *cgroupfs.Stats) string { return whole(s.CPU.ThrottledPeriods) })},
		{"handfast_container_cpu_throttled_seconds", counter, "seconds", "Time for which tasks waited for the next period.",
			one(func(s *cgroupfs.Stats) string { return seconds(s.CPU.ThrottledTime, nano) })},
		{"handfast_container_memory_usage_bytes", gauge, "bytes", "Memory in use, page cache included.",
			one(func(s *cgroupfs.Stats) string { return whole(s.Memory.Usage.Usage) })},
		{"handfast_container_memory_working_set_bytes", gauge, "bytes", "Memory in use without inactive page cache.",
			one(func(s *cgroupfs.Stats) string { return whole(workingSet(&s.Memory)) })},
		{"handfast_container_memory_peak_bytes", gauge, "bytes", "The most memory that was in use.",
			each(func(m *metric, id string, s *cgroupfs.Stats) {
				if s.Memory.Usage.Max > 0 {
					m.add(whole(s.Memory.Usage.Max), "container", id)
				}
			})},
		{"handfast_container_memory_cache_bytes", gauge, "bytes", "Page cache.",
			one(func(s *cgroupfs.Stats) string { return whole(s.Memory.Cache) })},
		{"handfast_container_memory_swap_bytes", gauge, "bytes", "Swap in use.",
			one(func(s *cgroupfs.Stats) string { return whole(swap(&s.Memory)) })},
		{"handfast_container_memory_limit_bytes", gauge, "bytes", "Limit of memory; missing without one.",
			limited(func(s *cgroupfs.Stats) uint64 { return s.Memory.Usage.Limit })},
		{"handfast_container_oom_kills", counter, "", "Processes that the kernel killed because memory ran out.",
			one(func(s *cgroupfs.Stats) string { return whole(s.Memory.Events.OOMKill) })},
		{"handfast_container_pids", gauge, "", "Tasks: processes and threads.",
			one(func(s *cgroupfs.Stats) string { return whole(s.Pids.Current) })},
		{"handfast_container_pids_limit", gauge, "", "Limit of tasks; missing without one.",
			limited(func(s *cgroupfs.Stats) uint64 { return s.Pids.Limit })},
		{"handfast_container_io_bytes", counter, "bytes", "Traffic with block devices.",
			devices(func(s *cgroupfs.Stats) []cgroupfs.IOEntry { return s.IO.Bytes })},
		{"handfast_container_io_operations", counter, "", "Operations on block devices.",
			devices(func(s *cgroupfs.Stats) []cgroupfs.IOEntry { return s.IO.Operations })},
		{"handfast_container_network_bytes", counter, "bytes", "Traffic of network interfaces.",
			network(func(n *cgroupfs.NetworkInterface) uint64 { return n.RxBytes },
				func(n *cgroupfs.NetworkInterface) uint64 { return n.TxBytes })},
		{"handfast_container_network_packets", counter, "", "Packets of network interfaces.",
			network(func(n *cgroupfs.NetworkInterface) uint64 { return n.RxPackets },
				func(n *cgroupfs.NetworkInterface) uint64 { return n.TxPackets })},
		{"handfast_container_network_errors", counter, "", "Errors of network interfaces.",
			network(func(n *cgroupfs.NetworkInterface) uint64 { return n.RxErrors },
				func(n *cgroupfs.NetworkInterface) uint64 { return n.TxErrors })},
		{"handfast_container_network_dropped_packets", counter, "", "Packets that network interfaces dropped.",
			network(func(n *cgroupfs.NetworkInterface) uint64 { return n.RxDropped },
				func(n *cgroupfs.NetworkInterface) uint64 { return n.TxDropped })},
		{"handfast_container_hugetlb_bytes", gauge, "bytes", "Huge pages in use, by their size.",
			each(func(m *metric, id string, s *cgroupfs.Stats) {
				for _, h := range s.Hugetlb {
					m.add(whole(h.Usage), "container", id, "size", h.Size)
				}
			})},
		{"handfast_container_pressure_seconds", counter, "seconds", "Time for which some or all tasks waited.",
			each(pressure)},
	}
}
