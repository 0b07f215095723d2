package main

import (
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/internal/tools/vm/job"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

func TestOption(t *testing.T) {
	line := "quiet handfast.boot=v2 handfast.bootx=no x=handfast.boot=\n"
	for name, want := range map[string]string{"handfast.boot": "v2", "handfast": "", "quiet": "", "missing": ""} {
		if got := option(line, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// A job's status is that of a shell, its output arrives completely, and processes that it leaves behind do not
// delay the next job.
func TestRunJob(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "echo said; exit 7": 7, "kill -KILL $$": 137,
		"sleep 1 & exit 3": 3} {
		var out strings.Builder
		status, err := runJob(&out, job.Job{Args: []string{"/bin/sh", "-c", script}, Dir: "/"})
		if err != nil || status != want {
			t.Errorf("%q ended with %d, %v; want %d", script, status, err, want)
		}
		if strings.Contains(script, "said") && out.String() != "said\n" {
			t.Errorf("%q said %q", script, out.String())
		}
	}
	var out strings.Builder
	e := &endings{Writer: &out}
	if _, err := runJob(e, job.Job{Args: []string{"/bin/sh", "-c", "printf unfinished"}, Dir: "/"}); err != nil {
		t.Error(err)
	}
	e.finish()
	e.finish()
	if out.String() != "unfinished\n" {
		t.Errorf("an open line became %q", out.String())
	}
	if status, err := runJob(&strings.Builder{}, job.Job{Args: []string{"/none/such"}, Dir: "/"}); err == nil ||
		status != 127 {
		t.Errorf("a missing program: %d, %v", status, err)
	}
}
