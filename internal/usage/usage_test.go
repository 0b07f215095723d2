package usage

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/usage/metricstest"
)

func TestBetween(t *testing.T) {
	before := Sample{At: time.Second, CPU: 1e9, Read: 100, Written: 1000, Received: 7, Sent: 7}
	for name, c := range map[string]struct {
		now  Sample
		want Rates
		ok   bool
	}{
		"half a processor, two seconds": {
			Sample{At: 3 * time.Second, CPU: 2e9, Read: 300, Written: 1000, Received: 9, Sent: 8},
			Rates{CPU: 50, Read: 100, Received: 1, Sent: 0.5}, true},
		"four processors": {Sample{At: 2 * time.Second, CPU: 5e9, Read: 100, Written: 1000, Received: 7, Sent: 7},
			Rates{CPU: 400}, true},
		"counters that begin again": {Sample{At: 2 * time.Second, CPU: 5, Read: 0, Written: 1001}, Rates{Written: 1}, true},
		"no time":                   {Sample{At: time.Second, CPU: 2e9}, Rates{}, false},
		"backwards":                 {Sample{At: 0, CPU: 2e9}, Rates{}, false},
	} {
		if got, ok := Between(before, c.now); got != c.want || ok != c.ok {
			t.Errorf("%s: %+v, %t", name, got, ok)
		}
	}
	// No two samples make a rate that is no number, or below zero.
	rapid.Check(t, func(t *rapid.T) {
		number := func(name string) uint64 { return rapid.Uint64().Draw(t, name) }
		sample := func(name string) Sample {
			return Sample{At: time.Duration(number(name) >> 1), CPU: number(name), Read: number(name), Written: number(name),
				Received: number(name), Sent: number(name)}
		}
		r, _ := Between(sample("before"), sample("now"))
		for _, v := range []float64{r.CPU, r.Read, r.Written, r.Received, r.Sent} {
			if v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%+v", r)
			}
		}
	})
}

// full are statistics as both versions of control groups have them; none are those of a host without controllers.
func full(v2 bool) *cgroupfs.Stats {
	s := &cgroupfs.Stats{
		CPU: cgroupfs.CPUStats{Usage: 1_500_000_000, User: 1_000_000_000, System: 500_000_000, Periods: 10,
			ThrottledPeriods: 3, ThrottledTime: 250_000_000},
		Memory: cgroupfs.MemoryStats{
			Cache: 5 << 20, Usage: cgroupfs.MemoryUsage{Usage: 40 << 20, Max: 50 << 20, Limit: 64 << 20},
			Swap: cgroupfs.MemoryUsage{Usage: 42 << 20}, Events: cgroupfs.MemoryEvents{OOMKill: 2},
			Stat: []cgroupfs.Counter{{Name: "inactive_file", Value: 1 << 20}, {Name: "total_inactive_file", Value: 4 << 20}}},
		Pids: cgroupfs.PidsStats{Current: 3, Limit: 100},
		IO: cgroupfs.IOStats{
			Bytes: []cgroupfs.IOEntry{{Major: 8, Op: "Read", Value: 1024}, {Major: 8, Op: "Write", Value: 2048},
				{Major: 8, Op: "Total", Value: 3072}, {Major: 259, Minor: 1, Op: "Read", Value: 1}},
			Operations: []cgroupfs.IOEntry{{Major: 8, Op: "Discard", Value: 9}},
		},
		Hugetlb: []cgroupfs.HugetlbStats{{Size: "2MB", Usage: 2 << 20}},
	}
	if v2 {
		s.Memory.SwapAlone = true
		s.Memory.Stat = s.Memory.Stat[:1]
		p := &s.CPU.Pressure
		p.Known, p.Some.Total, p.Full.Total = true, 1_250_000, 5
	}
	return s
}

var interfaces = []cgroupfs.NetworkInterface{{Name: "lo", RxBytes: 99}, {Name: "eth0", RxBytes: 10, TxBytes: 20,
	RxPackets: 1, TxPackets: 2, RxErrors: 3, TxErrors: 4, RxDropped: 5, TxDropped: 6}}

func TestSampleOf(t *testing.T) {
	const host = 1 << 34
	got := SampleOf(7, full(false), interfaces, host)
	want := Sample{At: 7, CPU: 1_500_000_000, Memory: 36 << 20, MemoryLimit: 64 << 20, Pids: 3, PidsLimit: 100, Read: 1025,
		Written: 2048, Received: 10, Sent: 20, HasIO: true, HasInterfaces: true}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := SampleOf(0, full(true), nil, host); got.Memory != 39<<20 || got.HasInterfaces {
		t.Errorf("v2: %+v", got)
	}
	// No limit is the machine's memory, and no limit of tasks is none.
	for _, limit := range []uint64{0, cgroupfs.Unlimited, 1<<63 - 4096} {
		s := &cgroupfs.Stats{Pids: cgroupfs.PidsStats{Limit: cgroupfs.Unlimited}}
		s.Memory.Usage.Limit, s.Memory.Stat = limit, []cgroupfs.Counter{{Name: "inactive_file", Value: 1}}
		if got := SampleOf(0, s, nil, host); got != (Sample{MemoryLimit: host}) {
			t.Errorf("limit %d: %+v", limit, got)
		}
	}
}

func TestTable(t *testing.T) {
	golden.Only(t, "testdata/table*")
	sample := SampleOf(0, full(false), interfaces, 1<<34)
	rows := []Row{
		{ID: "burn", Sample: sample, Known: true,
			Rates: Rates{CPU: 199.96, Read: 1023.94, Written: 1023.96, Received: 3 << 30, Sent: 1 << 62}},
		{ID: "just-started-with-a-long-name", Sample: Sample{MemoryLimit: 1 << 34}},
		{ID: "quiet", Sample: sample, Known: true},
		{ID: "unknown", Known: true},
	}
	golden.Compare(t, filepath.Join("testdata", "table.txt"), strings.Join(Table(rows), "\n")+"\n")
	for v, want := range map[float64]string{0: "0B", 1023: "1023B", 1024: "1.0KiB", 1 << 20: "1.0MiB",
		1<<20 - 1: "1.0MiB", math.MaxUint64: "16.0EiB", 1e30: "867361737988.4EiB"} {
		if got := bytes(v); got != want {
			t.Errorf("%g: %s, want %s", v, got, want)
		}
	}
}

func TestFit(t *testing.T) {
	lines := []string{"HEAD", "one", "two", "three"}
	for _, c := range []struct {
		rows, columns int
		want          string
	}{
		{0, 0, "HEAD one two three"}, {5, 80, "HEAD one two three"}, {4, 80, "HEAD one ... and 2 more"},
		{3, 80, "HEAD ... and 3 more"}, {2, 80, "HEAD one two three"}, {9, 3, "HEA one two thr"},
	} {
		if got := strings.Join(Fit(lines, c.rows, c.columns), " "); got != c.want {
			t.Errorf("%d x %d: %q, want %q", c.rows, c.columns, got, c.want)
		}
	}
	if strings.Join(lines, " ") != "HEAD one two three" {
		t.Errorf("the lines were changed: %q", lines)
	}
	if got, want := Redraw([]string{"a", "b"}, 3), "\x1b[3A\ra\x1b[K\n\rb\x1b[K\n\x1b[J"; got != want {
		t.Errorf("%q", got)
	}
}

func TestOpenMetrics(t *testing.T) {
	all := []Container{
		{ID: "old", Status: state.Stopped, Created: time.Unix(1_700_000_000, 5e8)},
		{ID: "v1", Status: state.Running, Created: time.Unix(1_700_000_001, 0), Stats: full(false), Interfaces: interfaces},
		{ID: "v2", Status: state.Paused, Created: time.Unix(1_700_000_002, 0), Stats: full(true)},
	}
	golden.Only(t, "testdata/metrics*")
	text := OpenMetrics(all)
	golden.Compare(t, filepath.Join("testdata", "metrics.txt"), text)
	samples, err := metricstest.Check(text)
	if err != nil {
		t.Fatal(err)
	}
	for series, want := range map[string]float64{
		`handfast_containers{status="running"}`:                                                 1,
		`handfast_container_running{container="old"}`:                                           0,
		`handfast_container_running{container="v2"}`:                                            1,
		`handfast_container_cpu_seconds_total{container="v1"}`:                                  1.5,
		`handfast_container_memory_swap_bytes{container="v1"}`:                                  2 << 20,
		`handfast_container_memory_swap_bytes{container="v2"}`:                                  42 << 20,
		`handfast_container_memory_working_set_bytes{container="v1"}`:                           36 << 20,
		`handfast_container_io_bytes_total{container="v1",device="8:0",operation="write"}`:      2048,
		`handfast_container_pressure_seconds_total{container="v2",resource="cpu",tasks="some"}`: 1.25,
	} {
		if got, there := samples[series]; !there || got != want {
			t.Errorf("%s: %g, want %g", series, got, want)
		}
	}
	if text := OpenMetrics(nil); text != "# EOF\n" {
		t.Errorf("no container: %q", text)
	}
}

// TestOpenMetricsOfAnything: whatever the names and numbers, the text keeps to the format.
func TestOpenMetricsOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"\\", "\"", "\n", "\xff", "a\\nb", "\r", "# EOF\n"}))
		s := full(rapid.Bool().Draw(t, "v2"))
		s.Hugetlb[0].Size, s.CPU.Usage = name.Draw(t, "size"), rapid.Uint64().Draw(t, "cpu")
		s.Memory.Usage.Limit, s.Memory.Swap.Usage = rapid.Uint64().Draw(t, "limit"), rapid.Uint64().Draw(t, "swap")
		c := Container{ID: name.Draw(t, "id"), Status: name.Draw(t, "status"), Stats: s,
			Created:    time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "created"), 0),
			Interfaces: []cgroupfs.NetworkInterface{{Name: name.Draw(t, "interface")}, {Name: name.Draw(t, "another")}}}
		if _, err := metricstest.Check(OpenMetrics([]Container{c})); err != nil {
			t.Fatalf("%v\n%+v", err, c)
		}
	})
	// Names that the kernel allows, and that no label or no terminal should have. The first two become the same.
	text := OpenMetrics([]Container{{ID: "c", Interfaces: []cgroupfs.NetworkInterface{{Name: "a\xff", RxBytes: 1},
		{Name: "a\xfe", RxBytes: 2}, {Name: "\"}\x1b[2J", RxBytes: 3}}}})
	samples, err := metricstest.Check(text)
	for name, want := range map[string]float64{"a\ufffd": 1, `\"}\\x1b[2J`: 3} {
		series := `handfast_container_network_bytes_total{container="c",interface="` + name + `",direction="receive"}`
		if err != nil || samples[series] != want {
			t.Errorf("%s: %v, %v", series, samples[series], err)
		}
	}
}
