// Package trace draws recordings: commands with their phases and conversations, as a timeline for a terminal, as JSON
// lines, as a Mermaid sequence diagram, as a standalone SVG, and as Chrome trace events. Every function converts values
// to text; text from a peer or a file is escaped for its context.
package trace

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handfast/handfast/internal/oneline"
	"github.com/handfast/handfast/internal/recording"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transcript"
)

// Formats are the names of formats that Draw accepts.
const Formats = "timeline, json, mermaid, svg or chrome"

// Draw returns the commands, which are in the order in which they began, in the named format.
func Draw(all []*recording.Command, format string) (string, error) {
	if !slices.ContainsFunc(all, func(c *recording.Command) bool { return c.Name != "" || len(rowsOf(c)) > 0 }) {
		return "", errors.New("nothing is recorded")
	}
	switch format {
	case "", "timeline":
		return Timeline(all), nil
	case "json":
		return JSONLines(all)
	case "mermaid":
		return Mermaid(all), nil
	case "svg":
		return SVG(all), nil
	case "chrome":
		return Chrome(all)
	}
	return "", fmt.Errorf("format %q: want %s", format, Formats)
}

// row is one thing that happened during a command: a phase began, or something in a conversation.
type row struct {
	at    time.Duration // since the command began
	phase string        // empty: an event
	transcript.Event
	parent bool // the event's frame was sent by the parent
	talk   int  // the number of the conversation, from 1 on
}

// rowsOf returns what happened during a command, in the order of time.
func rowsOf(c *recording.Command) (rows []row) {
	for _, p := range c.Phases {
		rows = append(rows, row{at: p.Began, phase: oneline.Of(p.Name)})
	}
	for i, talk := range c.Conversations {
		for _, e := range talk.Events {
			rows = append(rows, row{at: talk.Began + e.Since, Event: e, parent: talk.From(e) == syncproto.Parent, talk: i + 1})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.at, b.at) })
	return rows
}

func (r *row) isFrame() bool { return r.phase == "" && r.End == syncproto.Undecided }

// title names a command: "create web".
func title(c *recording.Command) string {
	name := cmp.Or(c.Name, "a command")
	return oneline.Of(strings.TrimSpace(name + " " + c.Container))
}

// alone reports whether c is a conversation without a command around it.
func alone(c *recording.Command) bool { return c.Name == "" && len(c.Phases) == 0 }

// between says when next began, as seen from the command before it: after its end, or during it.
func between(before, next *recording.Command) string {
	ended := before.Began.Add(before.Last())
	if d := next.Began.Sub(ended); d >= 0 {
		return span(d) + " later"
	}
	return "meanwhile: " + span(next.Began.Sub(before.Began)) + " after " + title(before) + " began"
}

// ended says how a command ended.
func ended(c *recording.Command) string {
	if !c.Ended {
		return "no end is recorded: it was killed, or still runs"
	}
	text := "status " + strconv.Itoa(c.Status) + " after " + milliseconds(c.End) + " ms"
	if c.Error != "" {
		text += ": " + oneline.Of(c.Error)
	}
	return text
}

// span rounds a duration for people.
func span(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// label returns the caption of an event: a frame's kind and name, or the end.
func label(e transcript.Event) string {
	if e.End != syncproto.Undecided {
		if e.Error == "" {
			return e.End.String()
		}
		return e.End.String() + ": " + oneline.Of(e.Error)
	}
	return strings.TrimSpace(e.Header.Kind.String() + " " + oneline.Of(e.Name))
}

func frameSize(e transcript.Event) int { return syncproto.HeaderSize + int(e.Header.Length) }

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 3, 64)
}

// Timeline returns a table of at most 80 columns for each command, with one line for each phase and frame and how the
// command ended. Only the texts of errors and long ids may be wider.
func Timeline(all []*recording.Command) string {
	var b strings.Builder
	for i, c := range all {
		if i > 0 {
			fmt.Fprintf(&b, "\n  ... %s\n\n", between(all[i-1], c))
		}
		if !alone(c) {
			b.WriteString(title(c))
			if c.PID != 0 {
				fmt.Fprintf(&b, ", process %d, %s", c.PID, c.Began.UTC().Format("2006-01-02 15:04:05.000 UTC"))
			}
			b.WriteString("\n\n")
		}
		timeline(&b, c)
	}
	return b.String()
}

func timeline(b *strings.Builder, c *recording.Command) {
	const form = "  %8s %7s  %-15s %-20s %6s %3s  %s"
	line := func(args ...any) { b.WriteString(strings.TrimRight(fmt.Sprintf(form, args...), " ") + "\n") }
	line("ms", "+ms", "direction", "message", "bytes", "fds", "phase")
	frames, bytes, fds := 0, 0, 0
	rows := rowsOf(c)
	before := time.Duration(0)
	if alone(c) && len(rows) > 0 {
		before = rows[0].at
	}
	for _, r := range rows {
		at, since := milliseconds(r.at), milliseconds(r.at-before)
		before = r.at
		switch {
		case r.phase != "":
			fmt.Fprintf(b, "  %8s %7s  %-15s %s\n", at, since, "parent", shorten(r.phase, 44))
			continue
		case r.End != syncproto.Undecided:
			fmt.Fprintf(b, "  %8s %7s  %-15s %s\n", at, since, "end", label(r.Event))
			continue
		}
		direction := "parent <- child"
		if r.parent {
			direction = "parent -> child"
		}
		line(at, since, direction, shorten(label(r.Event), 20), strconv.Itoa(frameSize(r.Event)),
			strconv.Itoa(int(r.Header.NFDs)), shorten(oneline.Of(r.Phase), 11))
		frames, bytes, fds = frames+1, bytes+frameSize(r.Event), fds+int(r.Header.NFDs)
	}
	b.WriteString("\n")
	if frames > 0 {
		fmt.Fprintf(b, "  messages: %d, bytes: %d, descriptors: %d\n", frames, bytes, fds)
	}
	if !alone(c) {
		b.WriteString("  " + ended(c) + "\n")
	}
}

// shorten removes the middle of a text that is wider than width.
func shorten(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	head := (width - 3) / 2
	return string(runes[:head]) + "..." + string(runes[len(runes)-(width-3-head):])
}
