// Package tap reads the Test Anything Protocol (https://testanything.org), in which the suites of others report.
package tap

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// An Assertion is one line of the protocol, the result of one test.
type Assertion struct {
	Text    string
	OK      bool // true for a skipped one, too
	Skipped bool
	Details string // the YAML block or the comments after it, indented, or nothing
}

var (
	testLine = regexp.MustCompile(`^(not )?ok\b(?: +(\d+))?(?: *- *| +)?([^#]*)(#.*)?$`)
	planLine = regexp.MustCompile(`^1\.\.(\d+)`)
)

// Parse reads the output of one program, which may contain several documents. A missing or incomplete plan, and a
// "Bail out!", count as failed assertions.
func Parse(output string) []Assertion {
	var all []Assertion
	first := true
	for document := range strings.SplitSeq(output, "TAP version 13\n") {
		if !first || strings.TrimSpace(document) != "" {
			all = append(all, parseDocument(document)...)
		}
		first = false
	}
	return all
}

func parseDocument(text string) []Assertion {
	var all []Assertion
	planned := -1
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if m := planLine.FindStringSubmatch(line); m != nil {
			planned, _ = strconv.Atoi(m[1]) // digits
			continue
		}
		if reason, bailed := strings.CutPrefix(line, "Bail out!"); bailed {
			all = append(all, Assertion{Text: "bail out:" + reason})
			continue
		}
		if m := testLine.FindStringSubmatch(line); m != nil {
			directive := strings.ToUpper(strings.TrimLeft(m[4], "# "))
			all = append(all, Assertion{
				Text: strings.TrimSpace(m[3]), OK: m[1] == "", Skipped: strings.HasPrefix(directive, "SKIP"),
			})
			continue
		}
		if n := len(all); n > 0 && (strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "#")) {
			all[n-1].Details += "    " + line + "\n"
		}
	}
	switch made := len(all); {
	case planned < 0:
		all = append(all, Assertion{Text: "the plan is missing"})
	case planned != made:
		all = append(all, Assertion{Text: "the plan is not fulfilled", Details: fmt.Sprintf("    %d planned, %d made\n",
			planned, made)})
	}
	return all
}
