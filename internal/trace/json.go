package trace

import (
	"bytes"
	"encoding/json"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transcript"
)

// line is one frame as a JSON line.
type line struct {
	T     int64           `json:"t"` // nanoseconds since the recording began
	Dir   string          `json:"dir"`
	Kind  string          `json:"kind"`
	Name  string          `json:"name"`
	Seq   uint16          `json:"seq"`
	Re    uint16          `json:"re"`
	Size  int             `json:"size"` // bytes, header included
	FDs   int             `json:"fds"`
	Phase string          `json:"phase"`
	State string          `json:"state"`
	Body  json.RawMessage `json:"body,omitempty"`
}

// ending is the end as a JSON line.
type ending struct {
	T     int64  `json:"t"`
	End   string `json:"end"`
	State string `json:"state"`
	Phase string `json:"phase"`
	Error string `json:"error,omitempty"`
}

// JSONLines returns one object per line: t is nanoseconds, dir is "parent>child" or "child>parent"; the last line is
// the end.
func JSONLines(t *transcript.Transcript) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, e := range t.Events {
		var v any = ending{int64(e.Since), e.End.String(), e.State.String(), e.Phase, e.Error}
		if e.End == syncproto.Undecided {
			dir := "child>parent"
			if t.From(e) == syncproto.Parent {
				dir = "parent>child"
			}
			v = line{int64(e.Since), dir, e.Header.Kind.String(), e.Name, e.Header.Seq, e.Header.Re, frameSize(e),
				int(e.Header.NFDs),
				e.Phase, e.State.String(), jsonBody(e)}
		}
		if err := enc.Encode(v); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// jsonBody returns the recorded body, or nil if there is none or it is not JSON: a file may contain anything.
func jsonBody(e transcript.Event) json.RawMessage {
	if e.Body == "" || !json.Valid([]byte(e.Body)) {
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

// Chrome returns the transcript as Chrome trace events: a track for each side, one for the phases, and a flow arrow for
// each frame.
func Chrome(t *transcript.Transcript) (string, error) {
	const phases = 3
	events := []chromeEvent{}
	for tid, name := range []string{"", "parent", "child", "phases"} {
		if name != "" {
			events = append(events, chromeEvent{Name: "thread_name", Ph: "M", PID: 1, TID: tid,
				Args: map[string]any{"name": name}})
		}
	}
	micro := func(i int) float64 { return float64(t.Events[i].Since) / 1000 }
	began := 0
	for i, e := range t.Events {
		if last := i == len(t.Events)-1; last || phaseOrState(t.Events[i+1]) != phaseOrState(t.Events[began]) {
			end := min(i+1, len(t.Events)-1)
			events = append(events, chromeEvent{Name: phaseOrState(t.Events[began]), Ph: "X", TS: micro(began),
				Dur: max(micro(end)-micro(began), 0.001), PID: 1, TID: phases, Cat: "phase"})
			began = end
		}
		if e.End != syncproto.Undecided {
			events = append(events, chromeEvent{Name: label(e), Ph: "i", TS: micro(i), PID: 1, TID: 1, S: "p", Cat: "end"})
			continue
		}
		from, to := int(t.From(e))+1, int(t.From(e).Peer())+1
		args := map[string]any{"seq": e.Header.Seq, "re": e.Header.Re, "bytes": frameSize(e), "descriptors": e.Header.NFDs}
		if b := jsonBody(e); b != nil {
			args["body"] = b
		}
		events = append(events,
			chromeEvent{Name: label(e), Ph: "X", TS: micro(i), Dur: 1, PID: 1, TID: from, Cat: "frame", Args: args},
			chromeEvent{Name: label(e), Ph: "s", TS: micro(i), PID: 1, TID: from, ID: i + 1, Cat: "frame"},
			chromeEvent{Name: label(e), Ph: "X", TS: micro(i) + 1, Dur: 1, PID: 1, TID: to, Cat: "frame"},
			chromeEvent{Name: label(e), Ph: "f", BP: "e", TS: micro(i) + 1, PID: 1, TID: to, ID: i + 1, Cat: "frame"})
	}
	text, err := json.MarshalIndent(map[string]any{"traceEvents": events, "displayTimeUnit": "ms"}, "", " ")
	return string(text) + "\n", err
}

// phaseOrState returns the profile's phase, or the state before the first phase.
func phaseOrState(e transcript.Event) string {
	if e.Phase != "" {
		return e.Phase
	}
	return e.State.String()
}
