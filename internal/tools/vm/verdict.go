package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/handfast/handfast/internal/tools/vm/job"
)

// remembered is the number of last lines that are kept for the report of a hang.
const remembered = 20

// verdict reads the guest's output and determines how its jobs ended.
type verdict struct {
	want    []string // the jobs, in their order
	now     string   // the job that is running, or empty
	running map[string]bool
	jobs    int             // number of jobs that have succeeded
	passed  map[string]bool // tests, subtests included, as "package: Name"
	skipped []string        // in the same form
	inJob   int             // number of tests passed in this job
	chosen  bool            // only some tests were requested, which not every package has
	wrong   []string
	done    bool
	last    []string
}

func newVerdict(jobs []job.Job, chosen bool) *verdict {
	v := &verdict{running: map[string]bool{}, passed: map[string]bool{}, chosen: chosen}
	for _, j := range jobs {
		v.want = append(v.want, j.Name)
	}
	return v
}

// read processes one line and reports whether to show it live.
func (v *verdict) read(line string) (show bool) {
	if v.last = append(v.last, line); len(v.last) > remembered {
		v.last = v.last[1:]
	}
	if e, ok := job.Parse(line); ok {
		v.event(e)
		return true
	}
	trimmed := strings.TrimLeft(line, " ")
	for prefix, take := range map[string]func(name string){
		"=== RUN ":   func(name string) { v.running[name] = true },
		"--- PASS: ": func(name string) { v.end(name); v.passed[v.now+": "+name] = true; v.inJob++ },
		"--- FAIL: ": func(name string) { v.end(name); v.add("%s failed", name) },
		"--- SKIP: ": func(name string) { v.end(name); v.skipped = append(v.skipped, v.now+": "+name) },
	} {
		if rest, ok := strings.CutPrefix(trimmed, prefix); ok {
			name, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			take(name)
		}
	}
	return !strings.HasPrefix(trimmed, "=== ")
}

func (v *verdict) end(name string) { delete(v.running, name) }

func (v *verdict) add(format string, args ...any) {
	v.wrong = append(v.wrong, v.now+": "+fmt.Sprintf(format, args...))
}

func (v *verdict) event(e job.Event) {
	switch e.Kind {
	case "begin":
		v.now, v.inJob = e.Name, 0
		clear(v.running)
		if len(v.want) == 0 || v.want[0] != e.Name {
			v.add("began out of turn, want %q", v.want)
			return
		}
		v.want = v.want[1:]
	case "end":
		switch {
		case e.Status != 0:
			v.add("ended with status %d", e.Status)
		case v.inJob == 0 && !v.chosen:
			v.add("ran no test")
		default:
			v.jobs++
		}
		v.now = ""
	case "done":
		v.done = true
	}
}

// where returns what was running, for the report of a hang.
func (v *verdict) where() string {
	if v.now == "" {
		return "no job"
	}
	var tests []string
	for name := range v.running {
		tests = append(tests, name)
	}
	return fmt.Sprintf("%s %s", v.now, strings.Join(tests, " "))
}

// err returns what is wrong with the boot, or nil: every job must have ended with status 0, after at least one
// test.
func (v *verdict) err() error {
	wrong := v.wrong
	if len(v.want) > 0 {
		wrong = append(wrong, fmt.Sprintf("never begun: %s", strings.Join(v.want, ", ")))
	}
	if v.now != "" {
		wrong = append(wrong, v.now+": did not end")
	}
	if !v.done {
		wrong = append(wrong, "the machine ended before it was done")
	}
	if len(v.passed) == 0 {
		wrong = append(wrong, "not one test passed")
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "\n"))
	}
	return nil
}

func (v *verdict) summary() string {
	return fmt.Sprintf("%d packages, %d tests passed, %d skipped", v.jobs, len(v.passed), len(v.skipped))
}

// neverRun returns the tests that were skipped in one boot and passed in no other. Each is about something that
// some boot should have.
func neverRun(all []*verdict) []string {
	var never []string
	for _, v := range all {
		for _, name := range v.skipped {
			passed := slices.ContainsFunc(all, func(o *verdict) bool { return o.passed[name] })
			if !passed && !slices.Contains(never, name) {
				never = append(never, name)
			}
		}
	}
	return never
}

// lineWriter calls line for every line that is written to it, without the newline.
type lineWriter struct {
	line func(string)
	rest string
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest += strings.ReplaceAll(string(p), "\r", "")
	for {
		line, rest, found := strings.Cut(w.rest, "\n")
		if !found {
			return len(p), nil
		}
		w.rest = rest
		w.line(line)
	}
}

// flush passes on a last line that has no newline.
func (w *lineWriter) flush() {
	if w.rest != "" {
		w.line(w.rest)
		w.rest = ""
	}
}
