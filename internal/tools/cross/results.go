package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is one line of go test -json, see "go doc test2json".
type event struct {
	Action  string
	Test    string
	Output  string
	Elapsed float64
}

// results collects what go test says of all packages.
type results struct {
	reasons map[string][]string // the tests that were skipped, by the reason
	passed  int                 // of the package that is being read
	failed  []error
}

func newResults() *results { return &results{reasons: map[string][]string{}} }

func (r *results) fail(pkg string, err error) {
	if err != nil {
		r.failed = append(r.failed, fmt.Errorf("%s: %w", pkg, err))
	}
}

func (r *results) err() error { return errors.Join(r.failed...) }

// read reads the output of one package to its end, and writes what is of interest: the output of tests that failed, and
// a line for the package. A package of which no test passed is an error: nothing was tried.
func (r *results) read(pkg string, from io.Reader, to io.Writer) error {
	r.passed = 0
	said := map[string][]string{} // by test
	d := json.NewDecoder(from)
	for {
		var e event
		if err := d.Decode(&e); err == io.EOF {
			break
		} else if err != nil {
			_, _ = io.Copy(io.Discard, from) // or go test would wait for a reader, and Wait for go test
			return fmt.Errorf("reading the output of go test -json: %w", err)
		}
		switch e.Action {
		case "output", "build-output":
			said[e.Test] = append(said[e.Test], e.Output)
		case "pass":
			if e.Test != "" {
				r.passed++
				delete(said, e.Test)
			}
		case "skip":
			if e.Test != "" {
				r.skip(pkg+": "+e.Test, said[e.Test])
				delete(said, e.Test)
			}
		case "fail":
			// A test's output comes before that of its package, which is last.
			for _, line := range said[e.Test] {
				if !strings.HasPrefix(line, "=== ") {
					fmt.Fprint(to, line)
				}
			}
		}
		if e.Test == "" && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip") {
			fmt.Fprintf(to, "%-4s  %-32s %6.1fs  %d tests passed\n", e.Action, pkg, e.Elapsed, r.passed)
		}
	}
	if r.passed == 0 {
		return errors.New("no test passed")
	}
	return nil
}

// place is where a test says something: "    file_test.go:1: ".
var place = regexp.MustCompile(`^ +\w+\.go:\d+: `)

// skip takes the reason from the output of a test that was skipped.
func (r *results) skip(test string, said []string) {
	reason := "without a reason"
	for _, line := range said {
		if at := place.FindString(line); at != "" {
			reason = strings.TrimSpace(strings.TrimPrefix(line, at))
		}
	}
	r.reasons[reason] = append(r.reasons[reason], test)
}

// skipped returns a line for each reason.
func (r *results) skipped() (lines []string) {
	for _, reason := range slices.Sorted(maps.Keys(r.reasons)) {
		lines = append(lines, fmt.Sprintf("%s (%d): %s", reason, len(r.reasons[reason]),
			strings.Join(r.reasons[reason], ", ")))
	}
	return lines
}
