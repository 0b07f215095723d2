package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
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

func readRows(path string) ([]row, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	rows, err := parseRows(string(data))
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return rows, err
}

// parseRows reads the table: program, assertion, times, fault, proof.
func parseRows(text string) ([]row, error) {
	_, text, found := strings.Cut(text, heading+"\n")
	if !found {
		return nil, fmt.Errorf("no heading %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n#")
	var rows []row
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 {
			continue
		}
		r := row{program: plain(cells[0]), assertion: plain(cells[1]), fault: plain(cells[3])}
		if r.program == "program" || strings.HasPrefix(r.program, "---") {
			continue
		}
		var err error
		if r.times, err = strconv.Atoi(plain(cells[2])); err != nil || r.times < 1 {
			return nil, fmt.Errorf("%s, %s: %q times; want a number from 1 on", r.program, r.assertion, plain(cells[2]))
		}
		if r.fault != bySuite && r.fault != byHost && r.fault != byChance {
			return nil, fmt.Errorf("%s, %s: fault %q; want %s, %s or %s", r.program, r.assertion, r.fault, bySuite, byHost,
				byChance)
		}
		if strings.TrimSpace(cells[4]) == "" {
			return nil, fmt.Errorf("%s, %s: no proof", r.program, r.assertion)
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no rows below %q", heading)
	}
	return rows, nil
}

// plain removes the markup that Markdown and the suite put around words.
func plain(text string) string { return strings.TrimSpace(strings.ReplaceAll(text, "`", "")) }
