package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A verdict is the comparison of two records of one exercise.
type verdict struct {
	differing int             // lines of the exercise with another output
	explained int             // of these, wholly explained by rows
	faults    []string        // what else is wrong, each with the name of its line
	shown     []string        // the differences that rows explain
	used      map[use]bool    // which patterns of which rows have matched
	ran       map[string]bool // "manager line" of every line of the exercises
}

// use is one of the patterns of a row.
type use struct {
	row       int
	candidate bool
}

// judge compares the records of the control and of the candidate. It is pure.
func judge(m manager, control, candidate record, rows []difference) *verdict {
	v := &verdict{used: map[use]bool{}, ran: map[string]bool{}}
	if len(control.Lines) != len(candidate.Lines) || len(control.Lines) == 0 {
		v.fault("all", "%d lines with the control, %d with handfast", len(control.Lines), len(candidate.Lines))
		return v
	}
	for i, c := range control.Lines {
		at := slices.IndexFunc(m.lines, func(l line) bool { return l.name == c.Name })
		if at < 0 {
			v.fault(c.Name, "no such line")
			continue
		}
		v.ran[m.name+" "+c.Name] = true
		v.line(m.name, m.lines[at], c, candidate.Lines[i], rows)
	}
	return v
}

func (v *verdict) fault(name, format string, args ...any) {
	v.faults = append(v.faults, name+": "+shorten(fmt.Sprintf(format, args...)))
}

// shorten returns the first lines of a text.
func shorten(text string) string {
	const most = 12
	lines := strings.Split(text, "\n")
	if len(lines) <= most {
		return text
	}
	return strings.Join(lines[:most], "\n") + fmt.Sprintf("\n... %d more lines (-o shows all)", len(lines)-most)
}

// line judges one line of the exercise.
func (v *verdict) line(manager string, l line, control, candidate output, rows []difference) {
	if control.Late || candidate.Late {
		v.fault(l.name, "took too long (control %v, handfast %v):\n%s---\n%s", control.Late, candidate.Late, control.Text,
			candidate.Text)
		return
	}
	if l.status != anyStatus && control.Status != l.status {
		v.fault(l.name, "with the control it ends with status %d, want %d:\n%s", control.Status, l.status, control.Text)
	}
	a, b := normalize(control.Text, l.alike), normalize(candidate.Text, l.alike)
	if !strings.Contains(strings.Join(a, "\n"), l.says) {
		v.fault(l.name, "with the control it does not say %q:\n%s", l.says, strings.Join(a, "\n"))
	}
	a = append(a, fmt.Sprintf("status %d", control.Status))
	b = append(b, fmt.Sprintf("status %d", candidate.Status))
	changes := diff(a, b)
	if len(changes) == 0 {
		return
	}
	v.differing++
	var unexplained []string
	for _, c := range changes {
		text := c.String()
		if row := v.explain(manager, l.name, c, rows); row < 0 {
			unexplained = append(unexplained, text)
		} else {
			v.shown = append(v.shown, l.name+": "+text)
		}
	}
	if len(unexplained) > 0 {
		v.fault(l.name, "differs:\n%s", strings.Join(unexplained, "\n"))
	} else {
		v.explained++
	}
}

// explain returns the row that explains a change, or -1.
func (v *verdict) explain(manager, name string, c change, rows []difference) int {
	for i, row := range rows {
		if row.explains(manager, name, c) {
			v.used[use{i, c.candidate}] = true
			return i
		}
	}
	return -1
}

// add adds the verdict of another exercise.
func (v *verdict) add(o *verdict) {
	v.faults = append(v.faults, o.faults...)
	for u := range o.used {
		v.used[u] = true
	}
	if v.ran == nil {
		v.ran = map[string]bool{}
	}
	for name := range o.ran {
		v.ran[name] = true
	}
}

// stale returns the rows with a pattern that has matched nothing, though every line that it is about was run. Those
// that depend on the host never are.
func (v *verdict) stale(rows []difference) (lines []string) {
	for i, row := range rows {
		ran := !row.Host
		for _, name := range row.Lines {
			ran = ran && v.ran[row.Manager+" "+name]
		}
		for _, candidate := range []bool{false, true} {
			if pattern := row.pattern(candidate); ran && pattern != "" && !v.used[use{i, candidate}] {
				lines = append(lines, fmt.Sprintf("%s, %s: %s", row.Manager, strings.Join(row.Lines, ", "), pattern))
			}
		}
	}
	return lines
}

// print writes what was found.
func (v *verdict) print(w io.Writer, m manager, verbose bool) {
	for _, f := range v.faults {
		fmt.Fprintf(w, "%s: %s\n", m.name, strings.ReplaceAll(f, "\n", "\n    "))
	}
	for _, s := range v.shown {
		if verbose {
			fmt.Fprintf(w, "%s: explained: %s\n", m.name, s)
		}
	}
}

// end writes the sum of all verdicts and returns an error unless everything is as it should be.
func (v *verdict) end(w io.Writer, rows []difference) error {
	if len(v.ran) == 0 && len(v.faults) == 0 {
		return fmt.Errorf("no manager or no line has such a name")
	}
	stale := v.stale(rows)
	for _, s := range stale {
		fmt.Fprintf(w, "explains nothing any more: %s\n", s)
	}
	if len(v.faults)+len(stale) > 0 {
		return fmt.Errorf("%d faults, %d explanations that explain nothing", len(v.faults), len(stale))
	}
	return nil
}
