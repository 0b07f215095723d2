package trace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/handfast/handfast/internal/oneline"
	"github.com/handfast/handfast/internal/recording"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transcript"
)

// whose says which command a JSON line belongs to. Its members are missing for a conversation that stands alone.
type whose struct {
	Command      string `json:"command,omitempty"`
	Container    string `json:"container,omitempty"`
	PID          int    `json:"pid,omitempty"`
	Conversation int    `json:"conversation,omitempty"` // from 1 on
}

// beginning is the begin of a command as a JSON line, and ending its end.
type beginning struct {
	T     int64     `json:"t"`
	Began time.Time `json:"began"`
	whose
}

// working is the begin of a command's phase as a JSON line.
type working struct {
	T    int64  `json:"t"`
	Work string `json:"work"`
	whose
}

// line is one frame as a JSON line.
type line struct {
	T     int64           `json:"t"` // nanoseconds since the command began, or since the recording of a conversation alone
	Dir   string          `json:"dir"`
	Kind  string          `json:"kind"`
	Name  string          `json:"name"`
	Seq   uint16          `json:"seq"`
	Re    uint16          `json:"re"`
	Size  int             `json:"size"` // bytes, header included
	FDs   int             `json:"fds"`
	Phase string          `json:"phase"` // of the conversation
	State string          `json:"state"`
	Body  json.RawMessage `json:"body,omitempty"`
	whose
}

// ending is the end of a conversation as a JSON line.
type ending struct {
	T     int64  `json:"t"`
	End   string `json:"end"`
	State string `json:"state"`
	Phase string `json:"phase"`
	Error string `json:"error,omitempty"`
	whose
}

// leaving is the end of a command as a JSON line.
type leaving struct {
	T      int64  `json:"t"`
	Status int    `json:"status"`
	Error  string `json:"error,omitempty"`
	whose
}

// JSONLines returns one object per line, in the order of each command's time: t is nanoseconds, dir is "parent>child"
// or "child>parent", work a phase of the command.
func JSONLines(all []*recording.Command) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, c := range all {
		for _, v := range jsonLines(c) {
			if err := enc.Encode(v); err != nil {
				return "", err
			}
		}
	}
	return visible(b.String()), nil
}

// visible escapes what package json leaves in strings although a terminal obeys it or hides it: DEL, C1, marks of
// direction. Outside strings nothing but line feeds is invisible.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || strconv.IsGraphic(r):
			b.WriteRune(r)
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	return b.String()
}

func jsonLines(c *recording.Command) (lines []any) {
	of := whose{Command: c.Name, Container: c.Container, PID: c.PID}
	if c.Name != "" {
		lines = append(lines, beginning{0, c.Began, of})
	}
	for _, r := range rowsOf(c) {
		if r.phase != "" {
			lines = append(lines, working{int64(r.at), r.phase, of})
			continue
		}
		in := of
		if !alone(c) {
			in.Conversation = r.talk
		}
		if !r.isFrame() {
			lines = append(lines, ending{int64(r.at), r.End.String(), r.State.String(), r.Phase, r.Error, in})
			continue
		}
		lines = append(lines, line{int64(r.at), direction(r.parent), r.Header.Kind.String(), r.Name, r.Header.Seq,
			r.Header.Re, frameSize(r.Event), int(r.Header.NFDs), r.Phase, r.State.String(), jsonBody(r.Event), in})
	}
	if c.Ended {
		lines = append(lines, leaving{int64(c.End), c.Status, c.Error, of})
	}
	return lines
}

func direction(fromParent bool) string {
	if fromParent {
		return "parent>child"
	}
	return "child>parent"
}

// jsonBody returns the recorded body, or nil if there is none or it is not JSON: a file may contain anything. Valid
// does not look whether strings are UTF-8.
func jsonBody(e transcript.Event) json.RawMessage {
	if e.Body == "" || !json.Valid([]byte(e.Body)) || !utf8.ValidString(e.Body) {
		return nil
	}
	return json.RawMessage(e.Body)
}

// chromeEvent is one entry of the Trace Event Format, which chrome://tracing and Perfetto read.
type chromeEvent struct {
	Name string         `json:"name"`
	Ph   string         `json:"ph"`
	TS   float64        `json:"ts"` // microseconds
	Dur  float64        `json:"dur,omitempty"`
	PID  int            `json:"pid"`
	TID  int            `json:"tid"`
	ID   int            `json:"id,omitempty"`
	BP   string         `json:"bp,omitempty"`
	S    string         `json:"s,omitempty"`
	Cat  string         `json:"cat,omitempty"`
	Args map[string]any `json:"args,omitempty"`
}

// The tracks of a command.
const (
	trackParent = 1 + iota
	trackChild
	trackPhases
	trackWork
)

// Chrome returns the commands as Chrome trace events. A command is a process with four tracks: its own phases, both
// sides of its conversations, and the phases of these; a frame is a flow arrow.
func Chrome(all []*recording.Command) (string, error) {
	d := chrome{events: []chromeEvent{}}
	for i, c := range all {
		d.command(c, i+1, micro(c.Began.Sub(all[0].Began)))
	}
	text, err := json.MarshalIndent(map[string]any{"traceEvents": d.events, "displayTimeUnit": "ms"}, "", " ")
	return visible(string(text)) + "\n", err
}

// chrome collects events. Flows are numbered through all commands.
type chrome struct {
	events []chromeEvent
	flows  int
}

func (d *chrome) add(e ...chromeEvent) { d.events = append(d.events, e...) }

func micro(d time.Duration) float64 { return float64(d) / 1000 }

// command adds a command as the process pid, which began at the time base.
func (d *chrome) command(c *recording.Command, pid int, base float64) {
	meta := func(what string, tid int, name string) {
		d.add(chromeEvent{Name: what, Ph: "M", PID: pid, TID: tid, Args: map[string]any{"name": name}})
	}
	if !alone(c) {
		meta("process_name", 0, title(c))
		meta("thread_name", trackWork, "command")
	}
	for i, name := range []string{"parent", "child", "phases"} {
		meta("thread_name", trackParent+i, name)
	}
	for i, p := range c.Phases {
		end := c.Last()
		if i+1 < len(c.Phases) {
			end = c.Phases[i+1].Began
		}
		d.add(chromeEvent{Name: p.Name, Ph: "X", TS: base + micro(p.Began), Dur: max(micro(end-p.Began), 0.001), PID: pid,
			TID: trackWork, Cat: "command"})
	}
	for _, talk := range c.Conversations {
		d.conversation(talk.Transcript, pid, base+micro(talk.Began))
	}
}

func (d *chrome) conversation(t *transcript.Transcript, pid int, base float64) {
	at := func(i int) float64 { return base + micro(t.Events[i].Since) }
	began := 0
	for i, e := range t.Events {
		if last := i == len(t.Events)-1; last || phaseOrState(t.Events[i+1]) != phaseOrState(t.Events[began]) {
			end := min(i+1, len(t.Events)-1)
			d.add(chromeEvent{Name: phaseOrState(t.Events[began]), Ph: "X", TS: at(began),
				Dur: max(at(end)-at(began), 0.001), PID: pid, TID: trackPhases, Cat: "phase"})
			began = end
		}
		if e.End != syncproto.Undecided {
			d.add(chromeEvent{Name: label(e), Ph: "i", TS: at(i), PID: pid, TID: trackParent, S: "p", Cat: "end"})
			continue
		}
		from, to := trackParent+int(t.From(e)), trackParent+int(t.From(e).Peer())
		args := map[string]any{"seq": e.Header.Seq, "re": e.Header.Re, "bytes": frameSize(e), "descriptors": e.Header.NFDs}
		if b := jsonBody(e); b != nil {
			args["body"] = b
		}
		d.flows++
		d.add(
			chromeEvent{Name: label(e), Ph: "X", TS: at(i), Dur: 1, PID: pid, TID: from, Cat: "frame", Args: args},
			chromeEvent{Name: label(e), Ph: "s", TS: at(i), PID: pid, TID: from, ID: d.flows, Cat: "frame"},
			chromeEvent{Name: label(e), Ph: "X", TS: at(i) + 1, Dur: 1, PID: pid, TID: to, Cat: "frame"},
			chromeEvent{Name: label(e), Ph: "f", BP: "e", TS: at(i) + 1, PID: pid, TID: to, ID: d.flows, Cat: "frame"})
	}
}

// phaseOrState returns the profile's phase, or the state before the first phase.
func phaseOrState(e transcript.Event) string {
	if e.Phase != "" {
		return oneline.Of(e.Phase)
	}
	return e.State.String()
}
