package lifecycle

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/oneline"
)

// StateJSON returns a container's state in the form that the command state prints.
func StateJSON(s state.OCI) string {
	data, _ := json.MarshalIndent(s, "", "  ") // strings, numbers and times always encode
	return string(data) + "\n"
}

// JSON returns a list of containers as one line of JSON.
func JSON(all []state.OCI) string {
	if all == nil {
		all = []state.OCI{} // an empty list, not null
	}
	data, _ := json.Marshal(all)
	return string(data) + "\n"
}

// IDs returns the ids, one on each line.
func IDs(all []state.OCI) string {
	var b strings.Builder
	for _, s := range all {
		b.WriteString(s.ID + "\n")
	}
	return b.String()
}

// Table returns a table for people: columns are at least 12 wide and 3 apart, as in runc. A bundle's path may contain
// anything, and is escaped.
func Table(all []state.OCI) string {
	rows := [][]string{{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}}
	for _, s := range all {
		rows = append(rows, []string{s.ID, strconv.Itoa(s.PID), s.Status, oneline.Of(s.Bundle),
			s.Created.Format(time.RFC3339Nano), oneline.Of(s.Owner)})
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], 12, utf8.RuneCountInString(cell)+3)
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			if i == len(row)-1 {
				b.WriteString(cell + "\n")
				break
			}
			b.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
	}
	return b.String()
}
