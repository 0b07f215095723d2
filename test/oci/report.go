package main

import (
	"fmt"
	"io"

	"github.com/handfast/handfast/internal/testenv/table"
	"github.com/handfast/handfast/internal/testenv/tap"
)

// A verdict is the comparison of the results with the rows of docs/runtime.md.
type verdict struct {
	results             []result
	clean               int // programs with no failed assertion
	held, bad, skipped  int // assertions
	suite, host, chance int // listed ones among bad, by fault
	surprises           []string
	stale               []row // listed as the suite's fault, but they hold
}

// judge compares the results with the rows. It is pure.
func judge(results []result, rows []row) *verdict {
	v := &verdict{results: results}
	used := make([]int, len(rows))
	ran := map[string]bool{}
	for _, r := range results {
		ran[r.program] = true
		bad := v.bad
		for _, a := range r.assertions {
			switch {
			case a.Skipped:
				v.skipped++
			case a.OK:
				v.held++
			default:
				v.bad++
				v.place(r.program, a, rows, used)
			}
		}
		if bad == v.bad {
			v.clean++
		}
	}
	for i, row := range rows {
		if used[i] < row.times && row.fault == bySuite && ran[row.program] {
			v.stale = append(v.stale, row)
		}
	}
	return v
}

// place finds the row of a failed assertion.
func (v *verdict) place(program string, a tap.Assertion, rows []row, used []int) {
	for i, row := range rows {
		if row.program != program || row.assertion != table.Plain(a.Text) || used[i] == row.times {
			continue
		}
		used[i]++
		switch row.fault {
		case bySuite:
			v.suite++
		case byHost:
			v.host++
		case byChance:
			v.chance++
		}
		return
	}
	v.surprises = append(v.surprises, fmt.Sprintf("%s: not ok: %s\n%s", program, a.Text, a.Details))
}

// print writes a line for each program, the differences from the table, and the sums.
func (v *verdict) print(w io.Writer, o options) {
	for _, r := range v.results {
		bad := 0
		for _, a := range r.assertions {
			if !a.OK && !a.Skipped {
				bad++
			}
		}
		fmt.Fprintf(w, "%-34s %4d assertions, %2d do not hold %6.1fs\n", r.program, len(r.assertions), bad, r.took.Seconds())
		for _, a := range r.assertions {
			if o.verbose && !a.OK && !a.Skipped {
				fmt.Fprintf(w, "    not ok: %s\n%s", a.Text, a.Details)
			}
		}
	}
	for _, s := range v.surprises {
		fmt.Fprintf(w, "not listed: %s", s)
	}
	for _, s := range v.stale {
		fmt.Fprintf(w, "listed, and holds: %s: %s\n", s.program, s.assertion)
	}
	fmt.Fprintf(w, "%d of %d programs clean; %d assertions hold, %d do not, %d skipped\n",
		v.clean, len(v.results), v.held, v.bad, v.skipped)
	if listed := v.suite + v.host + v.chance; listed > 0 {
		fmt.Fprintf(w, "of those that do not hold, docs/runtime.md proves %d the suite's fault, %d the host's, %d chance\n",
			v.suite, v.host, v.chance)
	}
}
