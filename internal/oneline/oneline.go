// Package oneline makes text that a peer, a file or a container has chosen fit for people: for a line of a log or of a
// table, a terminal, a picture, a label.
package oneline

import (
	"strconv"
	"strings"
)

// Of returns s with "; " for line breaks, and with what is neither visible nor a space escaped as in Go, so that no
// terminal obeys it and nothing hides in it. Bytes that are not UTF-8, which XML and OpenMetrics cannot hold, become
// U+FFFD.
func Of(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsGraphic(r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString("; ")
		case strconv.IsGraphic(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}
