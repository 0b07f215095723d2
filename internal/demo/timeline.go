package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// An event is one line of the file that "handfast run --trace" writes: one message of the handshake. Keys that are not
// listed here are ignored.
type event struct {
	T    int64  `json:"t"`    // nanoseconds since the parent's start
	Dir  string `json:"dir"`  // "parent>child" or "child>parent"
	Kind string `json:"kind"` // the protocol's name of the message
	Name string `json:"name"` // what it is about, if anything
	Size int    `json:"size"` // of the frame, in bytes
	FDs  int    `json:"fds"`  // descriptors that ride with it
	// Phase is where the conversation stood.
	Phase string `json:"phase"`
}

// parseTrace reads the file's text.
func parseTrace(text string) ([]event, error) {
	var events []event
	n := 0
	for line := range strings.Lines(text) {
		n++
		if strings.TrimSpace(line) == "" {
			continue
		}
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, fmt.Errorf("line %d of the trace: %w", n, err)
		}
		events = append(events, e)
	}
	if len(events) == 0 {
		return nil, errors.New("the trace is empty")
	}
	return events, nil
}

// timeline draws the messages in the order of the trace, and sums them up.
func timeline(events []event) string {
	var b strings.Builder
	const form = "  %8s %7s  %-15s %-20s %6s %3s  %s"
	line := func(args ...any) { b.WriteString(strings.TrimRight(fmt.Sprintf(form, args...), " ") + "\n") }
	line("ms", "+ms", "direction", "message", "bytes", "fds", "phase")
	bytes, fds, before := 0, 0, events[0].T
	for _, e := range events {
		message := strings.TrimSpace(e.Kind + " " + e.Name)
		line(milliseconds(e.T), milliseconds(e.T-before), direction(e.Dir), shorten(message, 20),
			fmt.Sprint(e.Size), fmt.Sprint(e.FDs), shorten(e.Phase, 11))
		bytes, fds, before = bytes+e.Size, fds+e.FDs, e.T
	}
	fmt.Fprintf(&b, "\n  messages: %d, bytes: %d, descriptors: %d, first to last: %s ms\n",
		len(events), bytes, fds, milliseconds(events[len(events)-1].T-events[0].T))
	return b.String()
}

func milliseconds(ns int64) string {
	return fmt.Sprintf("%.3f", float64(ns)/float64(time.Millisecond))
}

// direction keeps the two sides in their places, so that the arrows can be read down the column.
func direction(dir string) string {
	switch dir {
	case "parent>child":
		return "parent -> child"
	case "child>parent":
		return "parent <- child"
	}
	return shorten(dir, 15)
}
