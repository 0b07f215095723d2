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

// report has the results of one run.
type report struct {
	kernel, load          string
	cpus                  int
	rounds, conversations int
	rows                  []row
}

// row is one contender in one setting.
type row struct {
	name, floor string // floor is empty if no floor moves the same bytes
	lacks       string
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
		r.rows = append(r.rows, row{t.name, t.floor, t.lacks, t.setting, t.samples})
	}
	return r
}

// samplesOf returns the samples of a contender.
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
		fmt.Fprintf(&b, "\n%-26s %8s %8s %8s %7s %7s %9s\n",
			"between two "+string(s), "median", "p10", "p90", "/floor", "at p10", "/handfast")
		for _, x := range r.rows {
			if x.setting != s {
				continue
			}
			below := r.samplesOf(x.floor, s)
			fmt.Fprintf(&b, "%-26s %8.1f %8.1f %8.1f %7s %7s %9s\n",
				x.name, quantile(x.samples, 0.5), quantile(x.samples, 0.1), quantile(x.samples, 0.9),
				times(pairedRatio(x.samples, below)), times(quantile(x.samples, 0.1)/quantile(below, 0.1)),
				times(pairedRatio(x.samples, r.samplesOf(reference, s))))
		}
	}
	b.WriteString("\nAll hand over the descriptor, bound every wait, and check the order of requests.\n")
	said := make(map[string]bool)
	for _, x := range r.rows {
		if x.lacks != "" && !said[x.name] {
			said[x.name] = true
			wrap(&b, x.name+": "+x.lacks+".")
		}
	}
	return b.String()
}

// wrap writes a paragraph in lines of at most 80 columns.
func wrap(b *strings.Builder, text string) {
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
		case column+1+len(word) > 80:
			b.WriteString("\n  ")
			column = 2
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	b.WriteByte('\n')
}

func times(q float64) string {
	if math.IsNaN(q) {
		return "-"
	}
	return fmt.Sprintf("%.2fx", q)
}
