package main

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/golden"
)

func TestQuantile(t *testing.T) {
	values := []float64{4, 1, 3, 2, 5}
	for q, want := range map[float64]float64{0: 1, 0.1: 1.4, 0.5: 3, 0.9: 4.6, 1: 5} {
		if got := quantile(values, q); math.Abs(got-want) > 1e-9 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if !slices.Equal(values, []float64{4, 1, 3, 2, 5}) {
		t.Error("quantile changed the order of its argument")
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing must be NaN")
	}
}

// TestPairedRatio: a host that becomes twice as slow half-way changes the ratio of the medians but not the paired one.
func TestPairedRatio(t *testing.T) {
	a := []float64{2, 2, 4, 4, 4}
	b := []float64{1, 1, 2, 2, 2}
	if got := pairedRatio(a, b); got != 2 {
		t.Errorf("paired ratio is %v, want 2", got)
	}
	if got := pairedRatio(a, nil); !math.IsNaN(got) {
		t.Errorf("a ratio to nothing is %v, want NaN", got)
	}
}

func TestPairedDifference(t *testing.T) {
	if got := pairedDifference([]float64{2, 5, 9}, []float64{1, 3, 10}); got != 1 {
		t.Errorf("paired difference is %v, want 1", got)
	}
	if got := pairedDifference([]float64{2}, nil); !math.IsNaN(got) {
		t.Errorf("a difference to nothing is %v, want NaN", got)
	}
}

func TestParseSample(t *testing.T) {
	got, status, err := parseSample("3277182 1403 1723 652 256 1\n")
	if want := (sample{3277182, 1403, 1723, 652, 1}); err != nil || status != 256 || got != want {
		t.Errorf("got %+v, status %d, %v", got, status, err)
	}
	if _, _, err := parseSample("what\n"); err == nil {
		t.Error("nonsense was taken for a sample")
	}
}

func TestSumInit(t *testing.T) {
	ms, allocs := sumInit("init internal/bytealg @0.004 ms, 0 ms clock, 0 bytes, 0 allocs\n" +
		"something else\n" +
		"init os @0.1 ms, 0.014 ms clock, 4120 bytes, 21 allocs\n" +
		"init main @0.2 ms, 0.25 ms clock, 40 bytes, 2 allocs\n")
	if math.Abs(ms-0.264) > 1e-9 || allocs != 23 {
		t.Errorf("got %v ms and %d allocations, want 0.264 and 23", ms, allocs)
	}
}

func TestHierarchies(t *testing.T) {
	got := hierarchies("22 27 0:21 / /proc rw - proc proc rw\n" +
		"32 31 0:29 / /sys/fs/cgroup/cpu rw shared:4 - cgroup cgroup rw,cpu\n" +
		"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n")
	if want := []string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReportText(t *testing.T) {
	r := report{
		Kernel: "6.1.0", CPUs: 2, Load: "0.10 0.20 0.30 1/100 999", Rounds: 50, Notes: []string{"floor: C"},
		Init: &initCost{MS: 0.123, Allocs: 45, Binary: 5 << 20},
		Contenders: []result{
			{Name: "floor", Task: taskRun, WallMS: spread{3.1, 3.5, 4}, CPUMS: spread{Median: 3.25},
				PeakMB: spread{Median: 0.64}, To: map[string]float64{"runc": 0.09, "floor": 1}},
			{Name: "handfast (v2)", Task: taskRun, WallMS: spread{100.25, 1234.5, 2000}, CPUMS: spread{Median: 3.25},
				PeakMB: spread{Median: 12.5}, To: map[string]float64{"runc": 0.25, "crun (v2)": 0.9, "floor": 1.75}},
			{Name: "runc", Task: taskRun, Version: "runc version 1.1.5", WallMS: spread{30, 40, 50}, CPUMS: spread{Median: 33},
				PeakMB: spread{Median: 20}},
			{Name: "runc", Task: taskExec, Version: "runc version 1.1.5", WallMS: spread{20, 30, 40}, CPUMS: spread{Median: 23},
				PeakMB: spread{Median: 10}, To: map[string]float64{"runc": 1}},
		},
	}
	more := 0.25
	r.Contenders = append(r.Contenders, result{Name: "handfast (new)", Task: taskFilter, WallMS: spread{3, 4, 5},
		MoreMS: &more})
	got := r.Text()
	for line := range strings.Lines(got) {
		if len(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
	golden.Compare(t, "testdata/report.txt", got)
	golden.Compare(t, "testdata/report.svg", r.Plot())
}
