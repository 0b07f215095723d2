// Package trace draws transcripts: as a timeline for a terminal, as JSON lines, as a Mermaid sequence diagram, as a
// standalone SVG, and as Chrome trace events. Every function converts a value to text; text from a peer is escaped for
// its context.
package trace

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/remote"
	"github.com/handfast/handfast/syncproto/transcript"
)

// Formats are the names of formats that Draw accepts.
const Formats = "timeline, json, mermaid, svg or chrome"

// Draw returns the transcript in the named format.
func Draw(t *transcript.Transcript, format string) (string, error) {
	if len(t.Events) == 0 {
		return "", errors.New("the transcript holds no frame")
	}
	switch format {
	case "", "timeline":
		return Timeline(t), nil
	case "json":
		return JSONLines(t)
	case "mermaid":
		return Mermaid(t), nil
	case "svg":
		return SVG(t), nil
	case "chrome":
		return Chrome(t)
	}
	return "", fmt.Errorf("format %q: want %s", format, Formats)
}

// label returns the caption of a frame: its kind and name.
func label(e transcript.Event) string {
	if e.End != syncproto.Undecided {
		if e.Error == "" {
			return e.End.String()
		}
		return e.End.String() + ": " + remote.OneLine(e.Error)
	}
	return strings.TrimSpace(e.Header.Kind.String() + " " + remote.OneLine(e.Name))
}

func frameSize(e transcript.Event) int { return syncproto.HeaderSize + int(e.Header.Length) }

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 3, 64)
}

// Timeline returns a table of at most 80 columns with one line per frame, a summary and the end.
func Timeline(t *transcript.Transcript) string {
	var b strings.Builder
	const form = "  %8s %7s  %-15s %-20s %6s %3s  %s"
	line := func(args ...any) { b.WriteString(strings.TrimRight(fmt.Sprintf(form, args...), " ") + "\n") }
	line("ms", "+ms", "direction", "message", "bytes", "fds", "phase")
	frames, bytes, fds, before := 0, 0, 0, t.Events[0].Since
	end := ""
	for _, e := range t.Events {
		if e.End != syncproto.Undecided {
			end = fmt.Sprintf("\n  %s ms: %s\n", milliseconds(e.Since), label(e))
			continue
		}
		direction := "parent <- child"
		if t.From(e) == syncproto.Parent {
			direction = "parent -> child"
		}
		line(milliseconds(e.Since), milliseconds(e.Since-before), direction, shorten(label(e), 20),
			strconv.Itoa(frameSize(e)),
			strconv.Itoa(int(e.Header.NFDs)), shorten(remote.OneLine(e.Phase), 11))
		frames, bytes, fds, before = frames+1, bytes+frameSize(e), fds+int(e.Header.NFDs), e.Since
	}
	fmt.Fprintf(&b, "\n  messages: %d, bytes: %d, descriptors: %d, first to last: %s ms\n", frames, bytes, fds,
		milliseconds(before-t.Events[0].Since))
	return b.String() + end
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
