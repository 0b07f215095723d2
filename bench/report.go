package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// A report has all results of one run, in the form that -json writes.
type report struct {
	Kernel     string    `json:"kernel"`
	CPUs       int       `json:"cpus"`
	Load       string    `json:"load"` // /proc/loadavg at the end of the run
	Rounds     int       `json:"rounds"`
	Notes      []string  `json:"notes"`
	Init       *initCost `json:"package_initialisation,omitempty"`
	Contenders []result  `json:"contenders"`
}

type result struct {
	Name    string             `json:"name"`
	Task    task               `json:"task"`
	View    view               `json:"cgroup_view"`
	Version string             `json:"version,omitempty"`
	Argv    []string           `json:"argv"`
	WallMS  spread             `json:"wall_ms"`
	CPUMS   spread             `json:"user_and_system_ms"`
	PeakMB  spread             `json:"peak_rss_mib"`
	To      map[string]float64 `json:"wall_ratio_to"` // by name of the other contender in the same task
	// than the same program's run without the addition of the task
	MoreMS  *float64 `json:"wall_ms_more_than_run,omitempty"`
	Samples []sample `json:"samples"`
}

type spread struct {
	P10    float64 `json:"p10"`
	Median float64 `json:"median"`
	P90    float64 `json:"p90"`
}

// against lists the contenders of the ratios' columns, and the heads of these columns.
var against = [...]struct{ name, head string }{{"runc", "/runc"}, {"crun (v2)", "/crun"}, {"floor", "/floor"}}

func newReport(w *workshop, all benches) report {
	r := report{CPUs: runtime.NumCPU(), Notes: w.notes}
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		r.Kernel = unix.ByteSliceToString(uts.Release[:])
	}
	load, _ := os.ReadFile("/proc/loadavg")
	r.Load = strings.TrimSpace(string(load))
	type key struct {
		task task
		name string
	}
	walls := map[key][]float64{}
	for _, b := range all {
		walls[key{b.task, b.name}] = values(b.samples, wallMS)
	}
	for _, b := range all {
		r.Rounds = len(b.samples)
		x := result{
			Name: b.name, Task: b.task, View: b.view, Version: b.version, Argv: b.argv, Samples: b.samples,
			To:     map[string]float64{},
			WallMS: spreadOf(walls[key{b.task, b.name}]), CPUMS: spreadOf(values(b.samples, cpuMS)),
			PeakMB: spreadOf(values(b.samples, peakMB)),
		}
		for _, a := range against {
			if ratio := pairedRatio(walls[key{b.task, b.name}], walls[key{b.task, a.name}]); !math.IsNaN(ratio) {
				x.To[a.name] = ratio
			}
		}
		plain, _, _ := strings.Cut(b.name, " (new)")
		if more := pairedDifference(walls[key{b.task, b.name}], walls[key{taskRun, plain}]); b.task == taskFilter &&
			!math.IsNaN(more) {
			x.MoreMS = &more
		}
		r.Contenders = append(r.Contenders, x)
	}
	if w.handfast != "" {
		cost, err := measureInit(w.handfast)
		if err != nil {
			r.Notes = append(r.Notes, "package initialisation not measured: "+err.Error())
		} else {
			r.Init = &cost
		}
	}
	return r
}

func spreadOf(values []float64) spread {
	return spread{quantile(values, 0.1), median(values), quantile(values, 0.9)}
}

// Text draws the report for a terminal of 80 columns.
func (r report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Linux %s, %d CPUs, load %s\n", r.Kernel, r.CPUs, r.Load)
	fmt.Fprintf(&b, "%d rounds, contenders in turn; wall and CPU in ms, peak RSS in MiB\n\n", r.Rounds)
	fmt.Fprintf(&b, "%-14s %7s %15s %7s %6s", "", "wall", "p10 - p90", "CPU", "RSS")
	for _, a := range against {
		fmt.Fprintf(&b, " %7s", a.head)
	}
	b.WriteByte('\n')
	for i, c := range r.Contenders {
		if i > 0 && c.Task != r.Contenders[i-1].Task {
			fmt.Fprintf(&b, "%s:\n", heads[c.Task])
		}
		fmt.Fprintf(&b, "%-14s %7.2f %7.2f %7.2f %7.2f %6.1f", c.Name,
			c.WallMS.Median, c.WallMS.P10, c.WallMS.P90, c.CPUMS.Median, c.PeakMB.Median)
		for _, a := range against {
			if ratio, ok := c.To[a.name]; ok {
				fmt.Fprintf(&b, " %6.2fx", ratio)
			} else {
				fmt.Fprintf(&b, " %7s", "-")
			}
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	if r.Init != nil {
		fmt.Fprintf(&b, "handfast: package initialisation %.3f ms (%d allocations), binary %.1f MiB\n",
			r.Init.MS, r.Init.Allocs, float64(r.Init.Binary)/(1<<20))
	}
	for _, c := range r.Contenders {
		if c.Version != "" && c.Task == taskRun { // the other tasks have the same programs
			fmt.Fprintf(&b, "%s: %s\n", c.Name, c.Version)
		}
	}
	for _, c := range r.Contenders {
		if c.MoreMS != nil {
			fmt.Fprintf(&b, "%s: with the seccomp profile %+.2f ms (median of pairs)\n", c.Name, *c.MoreMS)
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintln(&b, n)
	}
	return b.String()
}
