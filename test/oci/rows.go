package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/handfast/handfast/internal/testenv/table"
)

// A row of docs/runtime.md is an assertion that is allowed to fail.
type row struct {
	program, assertion string
	times              int // how many of the program's assertions with this name may fail
	fault              string
}

// The possible faults for an assertion that does not hold.
const (
	bySuite  = "suite"  // it holds nowhere
	byHost   = "host"   // it holds on other hosts
	byChance = "chance" // it holds sometimes: the suite races
)

// heading is the heading above the table.
const heading = "### Assertions that do not hold"

// rowsOf reads the rows of the table: program, assertion, times, fault, proof.
func rowsOf(cells [][]string) ([]row, error) {
	var rows []row
	for _, c := range cells {
		if len(c) != 5 {
			return nil, fmt.Errorf("%d columns; want program, assertion, times, fault, proof", len(c))
		}
		r := row{program: c[0], assertion: c[1], fault: c[3]}
		var err error
		if r.times, err = strconv.Atoi(c[2]); err != nil || r.times < 1 {
			return nil, fmt.Errorf("%s, %s: %q times; want a number from 1 on", r.program, r.assertion, c[2])
		}
		if r.fault != bySuite && r.fault != byHost && r.fault != byChance {
			return nil, fmt.Errorf("%s, %s: fault %q; want %s, %s or %s", r.program, r.assertion, r.fault, bySuite, byHost,
				byChance)
		}
		if c[4] == "" {
			return nil, fmt.Errorf("%s, %s: no proof", r.program, r.assertion)
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return nil, errors.New("no rows")
	}
	return rows, nil
}

func readRows(path string) ([]row, error) {
	cells, err := table.Read(path, heading)
	if err != nil {
		return nil, err
	}
	return rowsOf(cells)
}
