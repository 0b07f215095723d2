package model

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is a mistake that real handshakes have made, put into the code that the walk runs: one text in one file is
// replaced by another. Numbers with B and F stand for mistakes of libcontainer's handshakes since 2016, in general and
// in one function (test/history reproduces each of them).
type mutant struct {
	name     string
	file     string // below the module's root
	old, new string
	want     string // what the walk must report
}

const (
	machineFile = "syncproto/machine.go"
	verdictFile = "syncproto/verdict.go"
	rulesFile   = "syncproto/state.go"
	messageFile = "syncproto/messages.go"
	sessionFile = "syncproto/session/session.go"
	endFile     = "syncproto/session/end.go"
	receiveFile = "syncproto/session/receive.go"
	sendFile    = "syncproto/session/send.go"
	effectsFile = "fuzz/model/effects.go"
	movesFile   = "fuzz/model/moves.go"
)

var mutants = []mutant{
	{"B4: an ERROR before the configuration is taken for something else", receiveFile, "\ts.peerError(at, r.Code)\n",
		"\tif at.State >= syncproto.Agreed {\n\t\ts.peerError(at, r.Code)\n\t}\n", "goes on after ERROR"},
	{"F5: an ERROR is the first of two messages, and the second can be cut off", endFile,
		"s.wordOf, s.word = 0, \"\"\n\t\ts.stage = over", "s.wordOf, s.word = 0, \"\"\n\t\ts.stage = listening",
		"goes on after ERROR"},
	{"the table: an execution that fails has no word for it", rulesFile,
		`{Committed, Child, KindError, Failed, "The execution itself failed."},`, ``, "success without EXEC"},
	{"B3: a message without a name is the first one", machineFile,
		`switch i := ph.rowIndex(name); {`, `switch i := max(ph.rowIndex(name), 0); {`, "for which there is no row"},
	{"F15: a request is served as often as it comes", machineFile,
		`case ph.Rows[i].Max != 0 && m.requested[i] >= ph.Rows[i].Max:`, `case false:`, "too often"},
	{"F12: a request may come while another waits for its reply", machineFile,
		`case m.pending >= 0:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+" while`, `case false:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+" while`, "while another request waits for its reply"},
	{"F10: any reply will do", machineFile, `case name != m.pendingRow().Reply:`, `case false:`, "is no reply to"},
	{"F16: a reply may be sent twice", machineFile,
		"[maxRows]uint16{}\n\t}\n\tm.pending = -1\n\treturn nil",
		"[maxRows]uint16{}\n\t\tm.pending = -1\n\t}\n\treturn nil", "is no reply to"},
	{"F10: a refusal is taken for the reply", machineFile,
		"m.pending = -1\n\treturn Configured, nil",
		"m.replied[m.pending]++\n\tm.pending = -1\n\treturn Configured, nil", "is required and has no reply"},
	{"F14: what is required may be left out", machineFile,
		`m.replied[i] < r.Min`, `false`, "is required and has no reply"},
	{"F8: end of file is success", verdictFile,
		`if m.state == Committed && m.role == Parent {`, `if m.role == Parent {`, "success without EXEC"},
	{"F11: the last reason replaces the first", endFile,
		"if s.stage != live {\n\t\treturn\n\t}\n\tat := s.m.Verdict()", "at := s.m.Verdict()", "gives way to died"},
	{"B8: a wait for the configuration is not bounded", verdictFile,
		`return WaitConfig`, `return WaitSelf`, "deadlock"},
	{"B8: a wait for the execution is not bounded", verdictFile, `return WaitEnd`, `return WaitSelf`, "deadlock"},
	{"B8: nobody watches the child's process", endFile, "s.gone = true", "", "deadlock"},
	{"F14: run goes out before the commit", movesFile,
		`if f.kind == syncproto.KindReply && k.uncommitted(&w) {`, `if f.kind == 0 {`,
		"before the parent has committed"},
	{"F3: a child that succeeds reports an empty error", movesFile,
		`k.close(w, child, executed)`, `k.end(w, child, opAbort, byFailure)`, "nothing disturbed"},
	{"F8: a parent that gives up waits for its child: a drain does not end", endFile,
		"case listening:\n\t\ts.end()", "case listening:", "need not end"},
	{"B2: tables are not compared", messageFile, `|| h.Hash != p.fingerprint()`, ``, "another table is accepted"},
	{"B1: a connection reset ends the reading", sendFile,
		"s.setVerdict(s.m.Verdict(), syncproto.Broken)\n\t\ts.stage = listening",
		"s.setVerdict(s.m.Verdict(), syncproto.Broken)\n\t\ts.end()", "the child's ERROR is lost"},
	{"F1: a child fails before it can report", endFile, `if s.broken || s.gone {`,
		`if s.broken || s.gone || s.Role() == syncproto.Child {`, "is never reported"},
	{"F4: the parent shuts down its writing behind the configuration", effectsFile, "w.queued[to]++\n",
		"w.queued[to]++\n\tif p.Kind == syncproto.KindConfig && !p.More() {\n\t\tw.is[r] |= shut\n\t}\n",
		"nothing disturbed"},
	{"F14: a decoder reads too much, and what it had is lost", effectsFile,
		`frame = w.queue[r][0]`, "frame = w.queue[r][max(1, w.queued[r])-1]", "broke the protocol"},
	{"a deadline is told with another code", endFile, `s.cancel(syncproto.TimedOut, syncproto.CodeTimeout,`,
		`s.cancel(syncproto.TimedOut, syncproto.CodeInternal,`, "with the code"},
	{"a greeting is refused with another code", receiveFile, `s.errorPayload(d.Code, d.Error())`,
		`s.errorPayload(syncproto.CodeInternal, d.Error())`, "with the code"},
	{"a refusal ends the conversation", receiveFile,
		`if h.Re != 0 {`, `if false {`, "a refusal ended the conversation"},
	{"the digest is not compared", receiveFile, `ok.Digest != s.digest || `, ``, "another configuration than was sent"},
	{"a frame that is refused has an effect", sendFile, "\tif off > 0 {\n",
		"\ts.digest = syncproto.Digest(config)\n\tif off > 0 {\n", "that is refused has changed the conversation"},
	{"a CANCEL is said twice", sendFile, "s.told = true\n\t\ts.listen()", "s.told = true",
		"CANCEL is sent after the last word"},
	{"a child that has failed already replies to CANCEL", receiveFile,
		`return Event{} // it was read only`, `return ev // it was read only`, "reply to it once more"},
	{"an ERROR is lost behind a local error", receiveFile, `case ev.Kind == Error:`,
		`case ev.Kind == Error && s.verdict.Outcome == syncproto.PeerError:`, "ERROR is lost"},
	{"a local error is lost behind an ERROR", endFile, `case o == syncproto.LocalError, o == syncproto.PeerError:`,
		`case o == syncproto.PeerError:`, "gives way to"},
	{"a child that has said EXEC gives up telling that it failed", sessionFile,
		`return s.Role() == syncproto.Child && s.m.State() == syncproto.Committed`, `return false`,
		"success without EXEC"},
	{"a peer that shuts down its writing is told nothing more", endFile,
		`if s.readDone = true; s.stage == telling || s.stage == over {`, `if s.readDone = true; s.stage == over {`,
		"success without EXEC"},
	{"a socket that takes no more is taken for one whose peer has gone", sendFile, `s.closed || gone`,
		`s.closed || gone || s.left`, "does not wait for"},
	{"HELLO_ACK stays due", sendFile, `s.greeting = false`, ``, "what is due cannot be sent"},
	{"a CANCEL that crosses EXEC is a violation", machineFile, "case KindCancel:\n\t\t\treturn Committed, true",
		"case KindCancel:\n\t\t\treturn Committed, false", "CANCEL from the parent"},
	{"descriptors of what nobody reads any more stay open", effectsFile,
		`w.flying -= int8(k.frames[w.queue[r][i]].NFDs)`, `_ = i`, "neither delivered nor closed"},
	{"descriptors of a frame that is cut short stay open", effectsFile,
		"w.flying -= int8(k.frames[w.part[r]].NFDs)\n", "", "neither delivered nor closed"},
}

// The walk is only as good as the mistakes it finds: each mutant is compiled with an overlay, and the walk must report
// it.
func TestMutantsAreFound(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			if out := m.walk(t, root); !strings.Contains(out, m.want) {
				t.Errorf("want %q, the walk says:\n%.2000s", m.want, out)
			}
		})
	}
}

// walk runs the walk on the mutant's code, which must fail, and returns its output.
func (m mutant) walk(t *testing.T, root string) string {
	source, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		t.Fatalf("%s holds %d times what is to be replaced, want once: %s", m.file, n, m.old)
	}
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	binary := filepath.Join(dir, "walk")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, m.file): changed}})
	if err == nil {
		err = os.WriteFile(overlay, text, 0o600)
	}
	if err == nil {
		err = os.WriteFile(changed, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-overlay", overlay, "-o", binary,
		"./internal/walk")
	build.Env = append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the mutant does not compile: %v\n%s", err, out)
	}
	out, err := exec.Command(binary).CombinedOutput()
	if err == nil {
		t.Fatalf("the walk has found nothing")
	}
	return string(out)
}
