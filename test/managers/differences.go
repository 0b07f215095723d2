package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

//go:embed differences.json
var differencesFile []byte

// A difference explains lines that only one of the two outputs has. Its patterns are regular expressions for whole
// lines, after normalize; an empty one is for no line.
type difference struct {
	Manager  string   `json:"manager"`
	Lines    []string `json:"lines"` // of the exercise
	Control  string   `json:"runc"`
	Handfast string   `json:"handfast"`
	Why      string   `json:"why"`
	// Host is for a difference that other hosts than the one in docs/integrations.md may not have.
	Host bool `json:"host"`

	control, candidate *regexp.Regexp
}

// parseDifferences reads the file and checks that every row names lines that exist and can explain something.
func parseDifferences(data []byte) ([]difference, error) {
	var rows []difference
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&rows); err != nil {
		return nil, fmt.Errorf("differences.json: %w", err)
	}
	for i := range rows {
		if err := rows[i].compile(); err != nil {
			return nil, fmt.Errorf("differences.json: row %d (%s, %s): %w", i+1, rows[i].Manager,
				strings.Join(rows[i].Lines, ", "), err)
		}
	}
	return rows, nil
}

func (d *difference) compile() error {
	all := append(managers(), onSystemd()...)
	at := slices.IndexFunc(all, func(m manager) bool { return m.name == d.Manager })
	if at < 0 {
		return fmt.Errorf("no such manager")
	}
	for _, name := range d.Lines {
		if !slices.ContainsFunc(all[at].lines, func(l line) bool { return l.name == name }) {
			return fmt.Errorf("%s has no line %q", d.Manager, name)
		}
	}
	if len(d.Lines) == 0 || d.Control+d.Handfast == "" || d.Why == "" {
		return fmt.Errorf("want lines, a pattern, and why")
	}
	return d.patterns()
}

// patterns compiles the patterns.
func (d *difference) patterns() (err error) {
	whole := func(text string) *regexp.Regexp {
		if text == "" || err != nil {
			return nil
		}
		var pattern *regexp.Regexp
		pattern, err = regexp.Compile("^(?:" + text + ")$")
		return pattern
	}
	d.control, d.candidate = whole(d.Control), whole(d.Handfast)
	return err
}

// pattern returns the pattern for the lines of one of the two outputs.
func (d difference) pattern(candidate bool) string {
	if candidate {
		return d.Handfast
	}
	return d.Control
}

func (d difference) explains(manager, name string, c change) bool {
	pattern := d.control
	if c.candidate {
		pattern = d.candidate
	}
	return d.Manager == manager && slices.Contains(d.Lines, name) && pattern != nil && pattern.MatchString(c.text)
}

// table returns the rows as docs/integrations.md shows them.
func table(rows []difference) string {
	var b strings.Builder
	b.WriteString("| manager | lines | with runc | with handfast | why |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range rows {
		why := r.Why
		if r.Host {
			why += " On other hosts it need not be so."
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.Manager, strings.Join(r.Lines, ", "), cell(r.Control),
			cell(r.Handfast), why)
	}
	return b.String()
}

// cell returns a pattern as a cell of a table in Markdown.
func cell(pattern string) string {
	if pattern == "" {
		return "nothing"
	}
	return "`` " + strings.ReplaceAll(pattern, "|", `\|`) + " ``"
}

// between returns the text with other content between two markers.
func between(text, begin, end, content string) (string, error) {
	before, rest, ok := strings.Cut(text, begin)
	_, after, ends := strings.Cut(rest, end)
	if !ok || !ends {
		return "", fmt.Errorf("no text between %q and %q", begin, end)
	}
	return before + begin + content + end + after, nil
}
