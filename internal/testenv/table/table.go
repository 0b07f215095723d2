// Package table reads tables of the documentation that runs of other projects' suites are judged by.
package table

import (
	"fmt"
	"os"
	"strings"
)

// Read returns the rows of the table below a heading of a Markdown file; see Parse.
func Read(path, heading string) ([][]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	rows, err := Parse(string(data), heading)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return rows, err
}

// Parse returns the rows of the table below a heading, each as its cells, without markup (Plain). The names of the
// columns are no row. A row with more or fewer cells than there are columns is an error, for it would be judged by the
// wrong ones.
func Parse(text, heading string) (rows [][]string, err error) {
	_, text, found := strings.Cut(text, heading+"\n")
	if !found {
		return nil, fmt.Errorf("no heading %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n#")
	columns, ruled := 0, false
	for line := range strings.Lines(text) {
		line, isRow := strings.CutPrefix(strings.TrimSpace(line), "|")
		if !isRow {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(line, "|"), "|")
		for i := range cells {
			cells[i] = Plain(cells[i])
		}
		switch {
		case columns == 0:
			columns = len(cells)
		case len(cells) != columns:
			return nil, fmt.Errorf("below %q: %d cells in a row, and %d columns: |%s", heading, len(cells), columns, line)
		case !ruled:
			ruled = true
			if strings.Trim(cells[0], "-:") != "" {
				return nil, fmt.Errorf("below %q: no line of dashes below the names of the columns: |%s", heading, line)
			}
		default:
			rows = append(rows, cells)
		}
	}
	return rows, nil
}

// Plain returns a text without spaces around it and without the marks of code, which suites put around words, too.
func Plain(text string) string { return strings.TrimSpace(strings.ReplaceAll(text, "`", "")) }
