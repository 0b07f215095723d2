package main

import (
	"fmt"
	"os"
	"strings"
)

// A row of docs/runtime.md is an assertion that need not hold.
type row struct{ program, assertion, fault string }

// Whose fault it is that an assertion does not hold.
const (
	bySuite  = "suite"  // it never holds
	byHost   = "host"   // it holds on other hosts
	byChance = "chance" // it holds sometimes: the suite races
)

// heading is what the table stands below.
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

// parseRows reads the table: program, assertion, fault, proof.
func parseRows(text string) ([]row, error) {
	_, text, found := strings.Cut(text, heading+"\n")
	if !found {
		return nil, fmt.Errorf("no heading %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n#")
	var rows []row
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 {
			continue
		}
		r := row{plain(cells[0]), plain(cells[1]), plain(cells[2])}
		if r.program == "program" || strings.HasPrefix(r.program, "---") {
			continue
		}
		if r.fault != bySuite && r.fault != byHost && r.fault != byChance {
			return nil, fmt.Errorf("%s, %s: fault %q; want %s, %s or %s", r.program, r.assertion, r.fault, bySuite, byHost, byChance)
		}
		if strings.TrimSpace(cells[3]) == "" {
			return nil, fmt.Errorf("%s, %s: no proof", r.program, r.assertion)
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no rows below %q", heading)
	}
	return rows, nil
}

// plain takes away what Markdown and the suite put around words.
func plain(text string) string { return strings.TrimSpace(strings.ReplaceAll(text, "`", "")) }
