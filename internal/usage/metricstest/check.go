// Package metricstest checks, for tests, that a text is what the OpenMetrics specification 1.0.0 says, strictly, and
// that its names and units follow the specification's conventions. It knows counters and gauges.
package metricstest

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	labelName  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	number     = regexp.MustCompile(`^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$`)
)

// reserved are endings of sample names, which no name of a family may have.
var reserved = []string{"_total", "_created", "_count", "_sum", "_bucket", "_gcount", "_gsum", "_info"}

// family is what is known of the family whose lines are being read.
type family struct {
	name, kind string
	unit, help bool
	samples    bool
}

type checker struct {
	now     family
	done    map[string]bool    // families before this one
	samples map[string]float64 // by name and labels, as written
}

// Check returns the samples by their names and labels as they are written: `a_total{b="c"}`.
func Check(text string) (map[string]float64, error) {
	c := checker{done: map[string]bool{}, samples: map[string]float64{}}
	if !utf8.ValidString(text) {
		return nil, errors.New("it is not UTF-8")
	}
	body, ended := strings.CutSuffix(text, "# EOF\n")
	if !ended {
		return nil, errors.New("it does not end with # EOF and a line feed")
	}
	number := 0
	for line := range strings.Lines(body) {
		number++
		if err := c.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w: %q", number, err, line)
		}
	}
	return c.samples, c.leave()
}

func (c *checker) line(line string) error {
	line, whole := strings.CutSuffix(line, "\n")
	if !whole || strings.HasSuffix(line, "\r") {
		return errors.New("lines end with a line feed")
	}
	if !strings.HasPrefix(line, "#") {
		return c.sample(line)
	}
	rest, found := strings.CutPrefix(line, "# ")
	keyword, rest, _ := strings.Cut(rest, " ")
	name, value, two := strings.Cut(rest, " ")
	if !found || !two || !metricName.MatchString(name) {
		return errors.New("want # KEYWORD NAME VALUE")
	}
	if name != c.now.name {
		if err := c.leave(); err != nil {
			return err
		}
		if c.done[name] {
			return errors.New("the family is not in one piece")
		}
		for _, ending := range reserved {
			if strings.HasSuffix(name, ending) {
				return fmt.Errorf("a family whose name ends in %s", ending)
			}
		}
		c.now = family{name: name}
	}
	if c.now.samples {
		return errors.New("metadata after samples")
	}
	return c.metadata(keyword, value)
}

func (c *checker) metadata(keyword, value string) error {
	var twice bool
	switch keyword {
	case "TYPE":
		twice, c.now.kind = c.now.kind != "", value
		if value != "counter" && value != "gauge" {
			return errors.New("unknown type")
		}
	case "UNIT":
		twice, c.now.unit = c.now.unit, true
		if value == "" || !strings.HasSuffix(c.now.name, "_"+value) {
			return errors.New("the name does not end in the unit")
		}
	case "HELP":
		twice, c.now.help = c.now.help, true
		if _, err := unescape(value); value == "" || err != nil {
			return errors.New("bad help")
		}
	default:
		return errors.New("unknown keyword")
	}
	if twice {
		return errors.New("metadata twice")
	}
	return nil
}

// leave checks the family that ends.
func (c *checker) leave() error {
	f := c.now
	if f.name == "" {
		return nil
	}
	c.done[f.name] = true
	switch {
	case f.kind == "" || !f.help:
		return fmt.Errorf("%s has no type or no help", f.name)
	case !f.samples:
		return fmt.Errorf("%s has no samples", f.name)
	}
	for _, unit := range []string{"seconds", "bytes"} {
		if strings.HasSuffix(f.name, "_"+unit) && !f.unit {
			return fmt.Errorf("%s has no UNIT", f.name)
		}
	}
	return nil
}

func (c *checker) sample(line string) error {
	end := strings.IndexAny(line, "{ ")
	if end < 0 || !metricName.MatchString(line[:end]) {
		return errors.New("want NAME{LABELS} VALUE")
	}
	want := c.now.name
	if c.now.kind == "counter" {
		want += "_total"
	}
	if line[:end] != want || want == "" {
		return fmt.Errorf("a sample of another family, want %s", want)
	}
	rest := line[end:]
	if strings.HasPrefix(rest, "{") {
		var err error
		if rest, err = labels(rest[1:]); err != nil {
			return err
		}
	}
	series := line[:len(line)-len(rest)]
	if _, twice := c.samples[series]; twice {
		return errors.New("the same series twice")
	}
	text, blank := strings.CutPrefix(rest, " ")
	if !blank || !number.MatchString(text) {
		return errors.New("want a blank and a number")
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || c.now.kind == "counter" && value < 0 {
		return errors.New("bad value")
	}
	c.samples[series], c.now.samples = value, true
	return nil
}

// labels reads label pairs up to the closing brace, and returns what is behind it.
func labels(text string) (rest string, err error) {
	seen := map[string]bool{}
	for {
		name, after, found := strings.Cut(text, `="`)
		if !found || !labelName.MatchString(name) || strings.HasPrefix(name, "__") || seen[name] {
			return "", errors.New("bad label name")
		}
		seen[name] = true
		end := closing(after)
		if end < 0 {
			return "", errors.New("a label value without an end")
		}
		if _, err := unescape(after[:end]); err != nil {
			return "", err
		}
		text = after[end+1:]
		if rest, last := strings.CutPrefix(text, "}"); last {
			return rest, nil
		}
		if text, found = strings.CutPrefix(text, ","); !found {
			return "", errors.New("want a comma or a brace after a label")
		}
	}
}

// closing returns the place of the quote that ends a value.
func closing(text string) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// unescape returns a value as it was before it was escaped. No line feed can be in it: that would have ended the line.
func unescape(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '"' {
			return "", errors.New("a quote is not escaped")
		}
		if text[i] != '\\' {
			b.WriteByte(text[i])
			continue
		}
		if i++; i == len(text) {
			return "", errors.New("a backslash at the end")
		}
		switch text[i] {
		case '\\', '"':
			b.WriteByte(text[i])
		case 'n':
			b.WriteByte('\n')
		default:
			return "", errors.New("unknown escape")
		}
	}
	return b.String(), nil
}
