package usage

import (
	"slices"
	"strconv"
	"strings"
)

// Row is one container of a table.
type Row struct {
	ID string
	Sample
	Rates
	Known bool // the rates; they need two samples
}

var heading = []string{"CONTAINER", "CPU %", "MEMORY / LIMIT", "MEM %", "PIDS", "READ/s", "WRITE/s", "RECV/s", "SEND/s"}

// least are the widths of columns that values of the usual size fit, so that columns do not jump.
var least = []int{12, 7, 19, 6, 5, 8, 8, 8, 8}

// Table returns the lines of a table, the heading first. All columns but the first are aligned to the right.
func Table(rows []Row) []string {
	cells := [][]string{heading}
	widths := slices.Clone(least)
	for _, r := range rows {
		cells = append(cells, r.cells())
	}
	for _, line := range cells {
		for i, cell := range line {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var lines []string
	for _, line := range cells {
		var b strings.Builder
		for i, cell := range line {
			space := strings.Repeat(" ", widths[i]-len(cell))
			if i == 0 {
				b.WriteString(cell + space)
			} else {
				b.WriteString("  " + space + cell)
			}
		}
		lines = append(lines, b.String())
	}
	return lines
}

func (r *Row) cells() []string {
	pids := strconv.FormatUint(r.Pids, 10)
	if r.PidsLimit != 0 {
		pids += "/" + strconv.FormatUint(r.PidsLimit, 10)
	}
	share := "-"
	if r.MemoryLimit > 0 {
		share = percent(float64(r.Memory) / float64(r.MemoryLimit) * 100)
	}
	rate := func(v float64, known bool) string {
		if !known || !r.Known {
			return "-"
		}
		return bytes(v)
	}
	cpu := "-"
	if r.Known {
		cpu = percent(r.Rates.CPU)
	}
	return []string{r.ID, cpu, bytes(float64(r.Memory)) + " / " + bytes(float64(r.MemoryLimit)), share, pids,
		rate(r.Rates.Read, r.HasIO), rate(r.Rates.Written, r.HasIO),
		rate(r.Rates.Received, r.HasInterfaces), rate(r.Rates.Sent, r.HasInterfaces)}
}

func percent(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// bytes prints a number of bytes with three digits and more, in powers of 1024.
func bytes(v float64) string {
	unit, least := 0, 1023.5 // what would be printed as 1024, and then as 1024.0
	for v >= least && unit < len(units)-1 {
		v, unit, least = v/1024, unit+1, 1023.95
	}
	if unit == 0 {
		return strconv.FormatFloat(v, 'f', 0, 64) + units[0]
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + units[unit]
}

var units = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}

// Fit cuts lines to what a terminal of this size shows without wrapping or scrolling; its last line stays free. It says
// how many lines do not fit. A size of zero is not known, and cuts nothing.
func Fit(lines []string, rows, columns int) []string {
	if room := rows - 1; rows > 2 && len(lines) > room {
		more := len(lines) - room + 1
		lines = append(slices.Clone(lines[:room-1]), "... and "+strconv.Itoa(more)+" more")
	}
	if columns <= 0 {
		return lines
	}
	cut := make([]string, len(lines))
	for i, l := range lines {
		cut[i] = l[:min(len(l), columns)]
	}
	return cut
}

// Redraw returns the text that shows lines in place of the last shown number of lines on a terminal (ECMA-48: CUU, EL
// and ED).
func Redraw(lines []string, shown int) string {
	var b strings.Builder
	if shown > 0 {
		b.WriteString("\x1b[" + strconv.Itoa(shown) + "A")
	}
	for _, l := range lines {
		b.WriteString("\r" + l + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	return b.String()
}
