package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// reference is the contender that the last column compares with: what spawn and nsinit use.
const reference = "handfast msgpack seqpacket"

// report is what one run found.
type report struct {
	kernel, load          string
	cpus                  int
	rounds, conversations int
	rows                  []row
}

// row is one contender in one setting.
type row struct {
	name, floor string // floor is empty where nothing moves the same bytes
	setting     setting
	samples     []float64 // microseconds, one for each round
}

func newReport(tables []*table, o options) report {
	r := report{cpus: runtime.NumCPU(), rounds: o.rounds, conversations: o.conversations}
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		r.kernel = unix.ByteSliceToString(uts.Release[:])
	}
	load, _ := os.ReadFile("/proc/loadavg")
	r.load = strings.TrimSpace(string(load))
	for _, t := range tables {
		r.rows = append(r.rows, row{t.name, t.floor, t.setting, t.samples})
	}
	return r
}

// samplesOf finds the samples of a contender.
func (r report) samplesOf(name string, s setting) []float64 {
	for _, x := range r.rows {
		if x.name == name && x.setting == s {
			return x.samples
		}
	}
	return nil
}

// Text draws the report for a terminal of 80 columns.
func (r report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Linux %s, %d CPUs, load %s\n", r.kernel, r.cpus, r.load)
	fmt.Fprintf(&b, "%d rounds of %d conversations, contenders in turn; microseconds each\n", r.rounds, r.conversations)
	for _, s := range []setting{goroutines, processes} {
		fmt.Fprintf(&b, "\n%-28s %8s %19s %9s %9s\n", "between two "+string(s), "wall", "p10 - p90", "/floor", "/handfast")
		for _, x := range r.rows {
			if x.setting != s {
				continue
			}
			fmt.Fprintf(&b, "%-28s %8.1f %9.1f %9.1f %9s %9s\n", x.name, quantile(x.samples, 0.5), quantile(x.samples, 0.1), quantile(x.samples, 0.9),
				ratio(x.samples, r.samplesOf(x.floor, s)), ratio(x.samples, r.samplesOf(reference, s)))
		}
	}
	return b.String()
}

func ratio(a, b []float64) string {
	q := pairedRatio(a, b)
	if math.IsNaN(q) {
		return "-"
	}
	return fmt.Sprintf("%.2fx", q)
}
