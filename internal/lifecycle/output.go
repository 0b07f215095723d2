package lifecycle

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/handfast/handfast/internal/oci/state"
)

// StateJSON is a container's state as the command state prints it.
func StateJSON(s state.OCI) string {
	data, _ := json.MarshalIndent(s, "", "  ") // strings, numbers and times always encode
	return string(data) + "\n"
}

// JSON is a list of containers as one line.
func JSON(all []state.OCI) string {
	if all == nil {
		all = []state.OCI{} // an empty list, not null
	}
	data, _ := json.Marshal(all)
	return string(data) + "\n"
}

// IDs is one id a line.
func IDs(all []state.OCI) string {
	var b strings.Builder
	for _, s := range all {
		b.WriteString(s.ID + "\n")
	}
	return b.String()
}

// Table is for people: columns at least 12 wide and 3 apart, as runc prints them.
func Table(all []state.OCI) string {
	rows := [][]string{{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}}
	for _, s := range all {
		rows = append(rows, []string{s.ID, strconv.Itoa(s.PID), s.Status, s.Bundle, s.Created.Format(time.RFC3339Nano),
			s.Owner})
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], 12, len(cell)+3)
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			if i == len(row)-1 {
				b.WriteString(cell + "\n")
				break
			}
			b.WriteString(cell + strings.Repeat(" ", widths[i]-len(cell)))
		}
	}
	return b.String()
}
