package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/tools/vm/job"
)

// said returns the verdict on the given lines of the guest.
func said(chosen bool, lines ...string) *verdict {
	v := newVerdict([]job.Job{{Name: "a"}, {Name: "b/c"}}, chosen)
	w := &lineWriter{line: func(line string) { v.read(line) }}
	text := strings.Join(lines, "\r\n")
	for i := 0; i < len(text); i += 7 { // in pieces, as a pipe delivers it
		_, _ = w.Write([]byte(text[i:min(i+7, len(text))]))
	}
	w.flush()
	return v
}

func TestVerdict(t *testing.T) {
	one := []string{job.Begin("a"), "=== RUN   TestA", "--- PASS: TestA (0.00s)", job.End("a", 0)}
	two := []string{job.Begin("b/c"), "=== RUN   TestB", "    --- PASS: TestB/part (0.00s)", "--- PASS: TestB (0.00s)",
		"PASS", job.End("b/c", 0)}
	all := func(parts ...[]string) []string { return slices.Concat(parts...) }
	for name, c := range map[string]struct {
		lines []string
		want  string // part of the error; empty for no error
	}{
		"good":        {all(one, two, []string{job.Done()}), ""},
		"nothing":     {nil, "never begun: a, b/c\nthe machine ended before it was done\nnot one test passed"},
		"not done":    {all(one, two), "the machine ended before it was done"},
		"one missing": {all(one, []string{job.Done()}), "never begun: b/c"},
		"out of turn": {all(two, []string{job.Done()}), "began out of turn"},
		"status":      {all(one, two[:5], []string{job.End("b/c", 139), job.Done()}), "b/c: ended with status 139"},
		"failed": {all(one, two[:1], []string{"--- FAIL: TestB (0.00s)", job.End("b/c", 1), job.Done()}),
			"b/c: TestB failed\nb/c: ended with status 1"},
		"failed part": {all(one, two[:4], []string{"    --- FAIL: TestB/other (1.00s)", job.End("b/c", 0), job.Done()}),
			"b/c: TestB/other failed"},
		"no test": {all(one, two[:1], []string{"PASS", job.End("b/c", 0), job.Done()}), "b/c: ran no test"},
		"only a skip": {all(one, two[:1], []string{"--- SKIP: TestB (0.00s)", job.End("b/c", 0), job.Done()}),
			"b/c: ran no test"},
		"end inside": {all(one, two[:5], []string{"said " + job.End("b/c", 0), job.Done()}), "b/c: did not end"},
	} {
		err := said(false, c.lines...).err()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if err := said(true, all(one, two[:1], []string{job.End("b/c", 0), job.Done()})...).err(); err != nil {
		t.Errorf("a package without a chosen test: %v", err)
	}
}

func TestWhereItHangs(t *testing.T) {
	v := said(false, job.Begin("a"), "=== RUN   TestA", "--- PASS: TestA (0.00s)", "=== RUN   TestB", "last words")
	if got := v.where(); got != "a TestB" {
		t.Errorf("it was in %q", got)
	}
	if got := v.last[len(v.last)-1]; got != "last words" {
		t.Errorf("it said last %q", got)
	}
}

func TestNeverRun(t *testing.T) {
	skips := said(false, job.Begin("a"), "--- SKIP: TestX (0.00s)", "--- SKIP: TestY (0.00s)")
	passes := said(false, job.Begin("a"), "--- PASS: TestX (0.00s)", "--- SKIP: TestY (0.00s)")
	if got := neverRun([]*verdict{skips, passes}); !slices.Equal(got, []string{"a: TestY"}) {
		t.Errorf("%q", got)
	}
}

func TestShownLines(t *testing.T) {
	v := newVerdict(nil, false)
	for line, want := range map[string]bool{"=== RUN   TestA": false, "    --- PASS: TestA (0.00s)": true,
		"anything": true, job.Begin("a"): true} {
		if got := v.read(line); got != want {
			t.Errorf("%q is shown: %t", line, got)
		}
	}
}
