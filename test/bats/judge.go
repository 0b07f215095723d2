package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/handfast/handfast/internal/testenv/table"
	"github.com/handfast/handfast/internal/testenv/tap"
)

// A count is how the tests of one runtime ended.
type count struct{ passed, failed, skipped int }

func (c *count) add(other count) {
	c.passed, c.failed, c.skipped = c.passed+other.passed, c.failed+other.failed, c.skipped+other.skipped
}

func (c count) String() string {
	return fmt.Sprintf("%3d passed, %2d failed, %2d skipped", c.passed, c.failed, c.skipped)
}

// counted counts assertions.
func counted(all []tap.Assertion) count {
	var c count
	for _, a := range all {
		switch {
		case a.Skipped:
			c.skipped++
		case a.OK:
			c.passed++
		default:
			c.failed++
		}
	}
	return c
}

// passed reports how a test ended: whether it is there, was not skipped, and holds.
func passed(all []tap.Assertion, name string) bool {
	i := slices.IndexFunc(all, func(a tap.Assertion) bool { return table.Plain(a.Text) == name })
	return i >= 0 && all[i].OK && !all[i].Skipped
}

// A verdict is the comparison of both runtimes' results with the rows of docs/runtime.md.
type verdict struct {
	rows               []row
	asUser             bool // a row of a test that differs as root alone may pass
	control, candidate count
	explained          int
	surprises          int // differences without a row
	stale              int // tests with a row that passes with handfast
	better             int // tests that handfast passes and runc does not
}

// add compares the results of one file, and prints what is to be seen.
func (v *verdict) add(w io.Writer, file string, control, candidate []tap.Assertion) {
	a, b := counted(control), counted(candidate)
	fmt.Fprintf(w, "%-26s runc %v; handfast %v\n", file, a, b)
	v.control.add(a)
	v.candidate.add(b)
	for _, t := range candidate {
		name := table.Plain(t.Text)
		ok, control := passed(candidate, name), passed(control, name)
		r, listed := v.row(file, name)
		switch {
		case ok && !control:
			v.better++
			fmt.Fprintf(w, "    passes with handfast, not with runc: %s\n", name)
		case ok && listed && r.why != byChance && !v.asUser:
			v.stale++
			fmt.Fprintf(w, "    listed, and passes: %s\n", name)
		case !ok && control && listed:
			v.explained++
		case !ok && control:
			v.surprises++
			fmt.Fprintf(w, "    passes with runc, not with handfast: %s\n%s", name, t.Details)
		}
	}
	for _, t := range control {
		if name := table.Plain(t.Text); passed(control, name) &&
			!slices.ContainsFunc(candidate, func(c tap.Assertion) bool { return table.Plain(c.Text) == name }) {
			v.surprises++
			fmt.Fprintf(w, "    passes with runc, did not run with handfast: %s\n", name)
		}
	}
}

// row returns the row of a test.
func (v *verdict) row(file, name string) (row, bool) {
	for _, r := range v.rows {
		if r.file == file && r.test == name {
			return r, true
		}
	}
	return row{}, false
}

// end prints the sums. The error says what is not as docs/runtime.md lists it.
func (v *verdict) end(w io.Writer) error {
	c := v.candidate
	fmt.Fprintf(w, "%d tests: runc %v; handfast %v\n", c.passed+c.failed+c.skipped, v.control, c)
	fmt.Fprintf(w, "%d that runc passes and handfast does not, as docs/runtime.md explains; %d the other way round\n",
		v.explained, v.better)
	if v.surprises+v.stale > 0 {
		return fmt.Errorf("%d tests differ that docs/runtime.md does not list, %d that it lists pass", v.surprises, v.stale)
	}
	return nil
}
