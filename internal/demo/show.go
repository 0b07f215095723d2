package main

import (
	"fmt"
	"strings"

	"github.com/handfast/handfast/internal/demo/view"
)

const (
	columns = 80 // the width of a terminal that everything printed fits in
	cell    = 30 // the width of a column of compare
)

// compare draws what the container saw beside what this machine sees.
func compare(inside, outside view.View) string {
	var b strings.Builder
	row := func(what, in, out string) {
		line := fmt.Sprintf("  %-15s %-*s %s", what, cell, shorten(in, cell), shorten(out, cell))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	row("", "the container", "this machine")
	row("process id", fmt.Sprint(inside.PID), fmt.Sprint(outside.PID))
	row("processes", fmt.Sprint(inside.Processes), fmt.Sprint(outside.Processes))
	row("host name", inside.Hostname, outside.Hostname)
	row("user and group", fmt.Sprintf("%d:%d", inside.UID, inside.GID), fmt.Sprintf("%d:%d", outside.UID, outside.GID))
	row("user id map", inside.UIDMap, outside.UIDMap)
	row("capabilities", fmt.Sprint(len(inside.Capabilities)), fmt.Sprint(len(outside.Capabilities)))
	row("no new privs", yes(inside.NoNewPrivs), yes(outside.NoNewPrivs))
	row("control group", list(inside.Cgroups), list(outside.Cgroups))
	row("network", list(inside.Interfaces), list(outside.Interfaces))
	row("mounts", fmt.Sprint(len(inside.Mounts)), fmt.Sprint(len(outside.Mounts)))

	b.WriteString("\n  Its capabilities:\n")
	b.WriteString(wrap(inside.Capabilities))
	b.WriteString("\n  Its mounts (ro: read-only):\n")
	var mounts []string
	for _, m := range inside.Mounts {
		text := m.Point + " " + m.Type
		if m.ReadOnly {
			text += " ro"
		}
		mounts = append(mounts, text)
	}
	b.WriteString(wrap(mounts))
	return b.String()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// list joins as many items as a cell holds and counts the rest: "lo up, eth0 up, +2".
func list(items []string) string {
	for n := len(items); n > 1; n-- {
		text := strings.Join(items[:n], ", ")
		if n < len(items) {
			text += fmt.Sprintf(", +%d", len(items)-n)
		}
		if len(text) <= cell {
			return text
		}
	}
	switch len(items) {
	case 0:
		return "none"
	case 1:
		return items[0]
	}
	rest := fmt.Sprintf(", +%d", len(items)-1)
	return shorten(items[0], cell-len(rest)) + rest
}

// shorten cuts the middle out of a text that is wider than the width, because paths and ids differ at their ends.
func shorten(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	head := (width - 3) / 2
	return string(runes[:head]) + "..." + string(runes[len(runes)-(width-3-head):])
}

// wrap sets the items with commas between them in indented lines of at most columns.
func wrap(items []string) string {
	if len(items) == 0 {
		return "    none\n"
	}
	var b strings.Builder
	line := "   "
	for i, item := range items {
		item = shorten(item, columns-6)
		if i < len(items)-1 {
			item += ","
		}
		if len(line)+1+len(item) > columns {
			b.WriteString(line + "\n")
			line = "   "
		}
		line += " " + item
	}
	b.WriteString(line + "\n")
	return b.String()
}
