package main

import (
	"regexp"
	"strings"
)

// A normalizer replaces what differs from run to run.
type normalizer struct {
	pattern *regexp.Regexp
	by      string
}

// replacing returns a normalizer.
func replacing(pattern, by string) normalizer { return normalizer{regexp.MustCompile(pattern), by} }

// usual is what normalize always replaces, in this order.
var usual = []normalizer{
	replacing(`\r|\x00`, ""),
	replacing(`\^@`, ""), // script(1) shows the end of its standard input
	replacing(`/usr/local/bin/(handfast|runc-control)|/usr/s?bin/runc`, "<runtime>"),
	replacing(`\b(handfast|runc-control)\b`, "<runtime>"),
	replacing(`\b[0-9a-f]{64}\b`, "<id>"),
	replacing(`\b[0-9a-f]{32}\b`, "<id>"),
	replacing(`\b[0-9a-f]{12}\b`, "<id>"),
	replacing(`--> [0-9a-f]{11}\b`, "--> <id>"), // Buildah's short form
	replacing(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?Z| ?[+-]\d\d:?\d\d)?( UTC)?( m=\+[\d.]+)?`, "<time>"),
	// The docker command prints it, or ends before, when a container does not start.
	replacing(`time="<time>" level=error msg="error waiting for container: context canceled"\n`, ""),
	replacing(`(About )?([Aa]n?|\d+|Less than a) (seconds?|minutes?|hours?)( ago)?`, "<ago>"),
}

// Further normalizers, for lines that need them.
var (
	// numbers are counters, sizes and process ids.
	numbers = replacing(`\d+(\.\d+)?`, "N")
	// spacing is the width of a table's columns, which follows from what stands in them.
	spacing = replacing(`[ \t]+`, " ")
	// units follow from sizes.
	units = replacing(`N ?([kKMG]i?)?B\b`, "NB")
)

// normalize returns the lines of a text without what differs from run to run.
func normalize(text string, further []normalizer) []string {
	for _, list := range [][]normalizer{usual, further} {
		for _, n := range list {
			text = n.pattern.ReplaceAllString(text, n.by)
		}
	}
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return lines
}
