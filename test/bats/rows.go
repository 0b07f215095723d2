package main

import (
	"fmt"

	"github.com/handfast/handfast/internal/testenv/table"
)

// A row of docs/runtime.md is a test that runc passes and handfast does not.
type row struct{ file, test, why string }

// The possible answers to why a test differs.
const (
	aboutRunc = "runc"   // it looks inside runc, or for its name
	onPurpose = "differ" // handfast differs on purpose
	byChance  = "chance" // it passes sometimes: the test races
)

// heading is the heading above the table.
const heading = "### Tests that differ"

// rowsOf reads the rows of the table: file, test, why, reason. There may be none.
func rowsOf(cells [][]string) ([]row, error) {
	var rows []row
	for _, c := range cells {
		if len(c) != 4 {
			return nil, fmt.Errorf("%d columns; want file, test, why, reason", len(c))
		}
		r := row{file: c[0], test: c[1], why: c[2]}
		if r.why != aboutRunc && r.why != onPurpose && r.why != byChance {
			return nil, fmt.Errorf("%s, %s: %q; want %s, %s or %s", r.file, r.test, r.why, aboutRunc, onPurpose, byChance)
		}
		if c[3] == "" {
			return nil, fmt.Errorf("%s, %s: no reason", r.file, r.test)
		}
		rows = append(rows, r)
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
