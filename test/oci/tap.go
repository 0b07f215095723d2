package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// An assertion is one line of the Test Anything Protocol.
type assertion struct {
	text    string
	ok      bool
	skipped bool
	details string // the YAML block after it, or nothing
}

var (
	testLine = regexp.MustCompile(`^(not )?ok\b(?: +(\d+))?(?: *- *| +)?([^#]*)(#.*)?$`)
	planLine = regexp.MustCompile(`^1\.\.(\d+)`)
)

// parseTAP reads the output of one program, which may contain several documents. A missing or incomplete plan, and a
// "Bail out!", count as failed assertions.
func parseTAP(output string) []assertion {
	var all []assertion
	first := true
	for document := range strings.SplitSeq(output, "TAP version 13\n") {
		if !first || strings.TrimSpace(document) != "" {
			all = append(all, parseDocument(document)...)
		}
		first = false
	}
	return all
}

func parseDocument(text string) []assertion {
	var all []assertion
	planned := -1
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if m := planLine.FindStringSubmatch(line); m != nil {
			planned, _ = strconv.Atoi(m[1]) // digits
			continue
		}
		if reason, bailed := strings.CutPrefix(line, "Bail out!"); bailed {
			all = append(all, assertion{text: "bail out:" + reason})
			continue
		}
		if m := testLine.FindStringSubmatch(line); m != nil {
			directive := strings.ToUpper(strings.TrimLeft(m[4], "# "))
			all = append(all, assertion{
				text: strings.TrimSpace(m[3]), ok: m[1] == "", skipped: strings.HasPrefix(directive, "SKIP"),
			})
			continue
		}
		if n := len(all); n > 0 && (strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "#")) {
			all[n-1].details += "    " + line + "\n"
		}
	}
	switch made := len(all); {
	case planned < 0:
		all = append(all, assertion{text: "the plan is missing"})
	case planned != made:
		all = append(all, assertion{text: "the plan is not fulfilled", details: fmt.Sprintf("    %d planned, %d made\n",
			planned, made)})
	}
	return all
}
