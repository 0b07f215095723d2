package main

import (
	"fmt"
	"os"
	"strings"
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

// parseRows reads the table: file, test, why, reason. It may be empty.
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
		r := row{file: plain(cells[0]), test: plain(cells[1]), why: plain(cells[2])}
		if r.file == "file" || strings.HasPrefix(r.file, "---") {
			continue
		}
		if r.why != aboutRunc && r.why != onPurpose && r.why != byChance {
			return nil, fmt.Errorf("%s, %s: %q; want %s, %s or %s", r.file, r.test, r.why, aboutRunc, onPurpose, byChance)
		}
		if strings.TrimSpace(cells[3]) == "" {
			return nil, fmt.Errorf("%s, %s: no reason", r.file, r.test)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// plain removes the markup of Markdown.
func plain(text string) string { return strings.TrimSpace(strings.ReplaceAll(text, "`", "")) }
