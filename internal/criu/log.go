package criu

import "strings"

// LastErrors returns the last errors in the text of a log of CRIU, at most n, in their order, without the time at the
// start of each. The lines that only say that something has failed are left out if there are others.
func LastErrors(log string, n int) []string {
	var all, vague []string
	for line := range strings.Lines(log) {
		_, text, found := strings.Cut(line, "Error (")
		if !found {
			continue
		}
		text = "Error (" + strings.TrimSpace(text)
		if strings.HasSuffix(text, "FAILED.") {
			vague = append(vague, text)
		} else {
			all = append(all, text)
		}
	}
	if len(all) == 0 {
		all = vague
	}
	return all[max(0, len(all)-n):]
}
