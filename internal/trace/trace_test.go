package trace

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/recording"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transcript"
	"github.com/handfast/handfast/syncproto/transport"
)

// fixed returns a conversation whose peer sends text that must be escaped.
func fixed(end syncproto.Outcome, why string) *transcript.Transcript {
	t := &transcript.Transcript{Role: syncproto.Parent}
	seq := [2]uint16{}
	add := func(sent bool, k syncproto.Kind, name string, state syncproto.State, phase, body string, size uint32,
		fds uint8) {
		side := 0
		if sent {
			side = 1
		}
		seq[side]++
		t.Events = append(t.Events, transcript.Event{Since: time.Duration(len(t.Events)) * 412345, Sent: sent, Name: name,
			State: state, Phase: phase, Body: body,
			Header: syncproto.Header{Kind: k, Seq: seq[side], Length: size, NFDs: fds}})
	}
	add(true, syncproto.KindHello, "", syncproto.Greeted, "", `{"min":1}`, 230, 0)
	add(true, syncproto.KindConfig, "", syncproto.Greeted, "", `{"id":"c1"}`, 2048, 1)
	add(false, syncproto.KindHelloAck, "", syncproto.Agreed, "", "", 163, 0)
	add(false, syncproto.KindConfigOK, "", syncproto.Configured, "setup", "", 40, 0)
	add(false, syncproto.KindNote, "", syncproto.Configured, "setup", `{"text":"<b>&\"\u001b[31m"}`, 30, 0)
	add(false, syncproto.KindRequest, "ready<&;#\x1b[2J", syncproto.Configured, "setup", "", 20, 0)
	add(true, syncproto.KindReply, "run", syncproto.Configured, "released", "", 18, 0)
	add(false, syncproto.KindExec, "", syncproto.Committed, "released", "", 0, 0)
	t.Events = append(t.Events, transcript.Event{Since: 9 * time.Millisecond, End: end, Error: why,
		State: syncproto.Committed, Phase: "released"})
	return t
}

// single is a conversation without a command around it.
func single(end syncproto.Outcome, why string) []*recording.Command {
	return []*recording.Command{{Conversations: []recording.Conversation{{Transcript: fixed(end, why)}}}}
}

// lifecycle is a container's create, a run of another one meanwhile that fails, and a delete long after them. What a
// file may say must be escaped, too.
func lifecycle() []*recording.Command {
	began := time.Date(2026, 1, 2, 12, 0, 0, 5e8, time.UTC)
	const ms = time.Millisecond
	return []*recording.Command{
		{Name: "create", Container: "web", PID: 4711, Began: began, Ended: true, End: 18 * ms,
			Phases: []recording.Phase{{Began: ms / 2, Name: "read the configuration"},
				{Began: 2 * ms, Name: "make the group"}, {Began: 3 * ms, Name: "clone the child"},
				{Began: 7 * ms, Name: "run the <createRuntime> hooks\x1b[31m"}, {Began: 8 * ms, Name: "set the container up"}},
			Conversations: []recording.Conversation{{Began: 4 * ms, Transcript: fixed(syncproto.Success, "")}}},
		{Name: "run", Container: "db", PID: 4712, Began: began.Add(10 * ms), Ended: true, End: 50 * ms, Status: 1,
			Error:  "no <space>\n\x1b[31m left on device",
			Phases: []recording.Phase{{Began: ms, Name: "make the group"}}},
		{Name: "delete", Container: "web", PID: 4720, Began: began.Add(time.Hour),
			Phases: []recording.Phase{{Began: ms, Name: "end the processes"}, {Began: 1300 * ms, Name: "remove the group"}}},
		{Name: "", Began: began.Add(2 * time.Hour), Phases: []recording.Phase{{Began: ms, Name: "remove the state"}}},
	}
}

func TestGolden(t *testing.T) {
	golden.Only(t, "testdata/*")
	for name, tr := range map[string][]*recording.Command{
		"success":   single(syncproto.Success, ""),
		"failure":   single(syncproto.PeerError, "open <none>\n\x1b[31m: no such file or directory"),
		"lifecycle": lifecycle(),
	} {
		for _, format := range []string{"timeline", "json", "mermaid", "svg", "chrome"} {
			got, err := Draw(tr, format)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+"."+format)
			golden.Compare(t, path, got)
			if strings.Contains(got, "\x1b") {
				t.Errorf("%s: what the peer said reaches the terminal as it is", path)
			}
		}
	}
}

// TestFormatsAreWellFormed checks that every line of a timeline fits a terminal, and that every format follows its
// own rules.
func TestFormatsAreWellFormed(t *testing.T) {
	for name, tr := range map[string][]*recording.Command{
		"single": single(syncproto.PeerError, "a < b & \"c\""), "lifecycle": lifecycle(),
	} {
		t.Run(name, func(t *testing.T) { wellFormed(t, tr) })
	}
}

func wellFormed(t *testing.T, tr []*recording.Command) {
	for i, l := range strings.Split(Timeline(tr), "\n") {
		if len([]rune(l)) > 80 && !strings.Contains(l, "peer error") {
			t.Errorf("line %d has %d columns: %s", i+1, len([]rune(l)), l)
		}
	}
	d := xml.NewDecoder(strings.NewReader(SVG(tr)))
	elements := 0
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the SVG is no XML: %v", err)
		}
		elements++
	}
	if elements < 50 {
		t.Errorf("the SVG has %d tokens", elements)
	}
	text, err := Chrome(tr)
	var chrome struct{ TraceEvents []map[string]any }
	if err == nil {
		err = json.Unmarshal([]byte(text), &chrome)
	}
	flows := map[any]int{}
	for _, e := range chrome.TraceEvents {
		if e["ph"] == "s" || e["ph"] == "f" {
			flows[e["id"]]++
		}
	}
	if err != nil || len(flows) != 8 {
		t.Errorf("%d flows, %v", len(flows), err)
	}
	lines, err := JSONLines(tr)
	if err != nil || strings.Count(lines, "\n") < 9 {
		t.Errorf("%v\n%s", err, lines)
	}
	for _, l := range strings.Split(strings.TrimSpace(lines), "\n") {
		if !json.Valid([]byte(l)) {
			t.Errorf("no JSON: %s", l)
		}
	}
}

func TestDrawRefuses(t *testing.T) {
	if _, err := Draw(single(syncproto.Success, ""), "png"); err == nil || !strings.Contains(err.Error(), Formats) {
		t.Errorf("an unknown format: %v", err)
	}
	for _, empty := range [][]*recording.Command{nil, {{}},
		{{Conversations: []recording.Conversation{{Transcript: &transcript.Transcript{}}}}}} {
		if _, err := Draw(empty, ""); err == nil {
			t.Error("nothing is drawn")
		}
	}
}

// hidden reports whether a character is one that a terminal may obey, or that nobody sees.
func hidden(r rune) bool { return r != '\n' && !strconv.IsGraphic(r) }

// FuzzDraw: whatever a file says, it is drawn in every format without a panic, in UTF-8, without a character that a
// terminal obeys, and the picture is XML, and the JSON is JSON.
func FuzzDraw(f *testing.F) {
	path := filepath.Join(f.TempDir(), "trace")
	r, err := recording.Open(path, "create", "web")
	if err != nil {
		f.Fatal(err)
	}
	r.Enter("make the group")
	event := r.Conversation()
	event(transport.Event{Sent: true, Header: syncproto.Header{Kind: syncproto.KindHello, Seq: 1}})
	event(transport.Event{Header: syncproto.Header{Kind: syncproto.KindRequest, Seq: 1}, Name: "ready",
		Phase: "set\x1bup"})
	event(transport.Event{Header: syncproto.Header{Kind: syncproto.KindRequest, Seq: 2}, Name: "a\u009b2J\U000e0001",
		Phase: "\xfe</svg><script>"})
	event(transport.Event{Header: syncproto.Header{Kind: syncproto.KindNote, Seq: 3}, Codec: "json",
		Payload: []byte("{\"text\":\"\u009b\x7f\u202e\"}")})
	event(transport.Event{End: syncproto.Died, Err: errors.New("x\x00")})
	if err := r.End(1, errors.New("<y>\x1b[2J")); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)-40])
	f.Add([]byte(`{"run":"a","ns":4611686018427387904,"phase":"\u001b\ufffe"}` + "\n" +
		`{"run":"b","ns":1,"status":-1}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := recording.Read(bytes.NewReader(data))
		if err != nil && !errors.Is(err, recording.ErrDamaged) {
			return
		}
		for _, format := range []string{"timeline", "json", "mermaid", "svg", "chrome"} {
			text, err := Draw(all, format)
			if err != nil {
				continue // nothing was in the file
			}
			if !utf8.ValidString(text) || strings.ContainsFunc(text, hidden) {
				t.Errorf("%s: %q", format, text)
			}
			if format == "json" || format == "chrome" {
				for d := json.NewDecoder(strings.NewReader(text)); ; {
					if err := d.Decode(new(any)); err == io.EOF {
						break
					} else if err != nil {
						t.Fatalf("%v in %s", err, text)
					}
				}
			}
			if format != "svg" {
				continue
			}
			for d := xml.NewDecoder(strings.NewReader(text)); ; {
				if _, err := d.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("%v in %s", err, text)
				}
			}
		}
	})
}
