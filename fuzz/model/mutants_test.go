package model

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is a mistake that handshakes of this kind have made, put back into the code that the walk runs on: one text of one file is replaced by another.
// B and F with a number are the mistakes of libcontainer's handshakes from 2016 on: the general ones, and those of one function (test/history shows each as it was).
type mutant struct {
	name     string
	file     string // below the module's root
	old, new string
	want     string // what the walk must say
}

const (
	machineFile = "syncproto/machine.go"
	verdictFile = "syncproto/verdict.go"
	rulesFile   = "syncproto/state.go"
	effectsFile = "fuzz/model/effects.go"
	movesFile   = "fuzz/model/moves.go"
)

var mutants = []mutant{
	{"B4: the table: an ERROR before the configuration is taken for something else", rulesFile,
		`{Agreed, Child, KindError, Failed,`, `{Agreed, Child, KindError, Agreed,`, "without a verdict"},
	{"F5: the table: an ERROR is the first of two messages, and the second can be cut off", rulesFile,
		`{Configured, Child, KindError, Failed,`, `{Configured, Child, KindError, Configured,`, "without a verdict"},
	{"the table: an execution that fails has no word for it", rulesFile,
		`{Committed, Child, KindError, Failed, "The execution itself failed."},`, ``, "success without EXEC"},
	{"B3: a message without a name is the first one", machineFile,
		`switch i := ph.row(name); {`, `switch i := max(ph.row(name), 0); {`, "for which there is no row"},
	{"F15: a request is served as often as it comes", machineFile,
		`case ph.Rows[i].Max != 0 && m.counts[i] >= ph.Rows[i].Max:`, `case false:`, "too often"},
	{"F12: a request may come while another is unanswered", machineFile,
		`case m.pending >= 0:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+" while`, `case false:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+" while`, "broke the protocol"},
	{"F10: any answer will do", machineFile, `case name != m.row().Reply:`, `case false:`, "is no answer to"},
	{"F16: an answer may be given twice", machineFile,
		"m.counts, m.answered = [maxRows]uint16{}, [maxRows]uint16{}\n\t}\n\tm.pending = -1", "m.counts, m.answered = [maxRows]uint16{}, [maxRows]uint16{}\n\t\tm.pending = -1\n\t}", ""},
	{"F10: a refusal is taken for the answer", machineFile,
		"m.pending = -1\n\treturn Configured, nil", "m.answered[m.pending]++\n\tm.pending = -1\n\treturn Configured, nil", "is required and was not answered"},
	{"F14: what is required may be left out", machineFile, `m.answered[i] < r.Min`, `false`, "is required and was not answered"},
	{"F8: end of file is success", verdictFile, `if m.state == Committed && m.role == Parent {`, `if m.role == Parent {`, "success without EXEC"},
	{"F11: the last reason replaces the first", verdictFile, `m.outcome = max(m.outcome, why)`, `m.outcome = why`, "ERROR"},
	{"B8: a wait for the configuration is not bounded", verdictFile, `return WaitConfig`, `return WaitSelf`, "deadlock"},
	{"B8: a wait for the execution is not bounded", verdictFile, `return WaitEnd`, `return WaitSelf`, "deadlock"},
	{"B8: nobody watches the child's process", movesFile, `if w.fate[child] == leaked &&`, `if false &&`, "deadlock"},
	{"F14: run goes out before the commit", movesFile, `if f.Kind == syncproto.KindReply && k.uncommitted(&w) {`, `if false {`, "before the parent has committed"},
	{"F3: a child that succeeds reports an empty error", movesFile, `w.close(child, executed), false}`, `func() world { next, _ := w.report(child, k.room); return next }(), false}`, "nothing disturbed"},
	{"F8: a parent that gives up waits for its child before it ends it", movesFile, `else if w.queued[r] == 0 || r == child {`, `else if !w.fate[child].open() || r == child {`, "deadlock"},
	{"B2: tables are not compared", effectsFile, `k.profile[parent].Hash() != k.profile[child].Hash()`, `false`, "for which there is no row"},
	{"B1: a connection reset ends the reading", effectsFile,
		"w.fate[r] = over\n\t\treturn w, true", "return w.close(r, ended), true", "the child's ERROR is lost"},
	{"F1: a child fails before it can report", effectsFile, `case ok && next.fate[r] == running:`, `case ok && r == child:
		next = w
		next.m[r].Fail(syncproto.LocalError)
	case ok && next.fate[r] == running:`, "is never told"},
	{"F4: the parent shuts down its writing behind the configuration", effectsFile,
		`w.queued[to]++`, "w.queued[to]++\n\tw.shut[r] = w.shut[r] || f.Kind == syncproto.KindConfig && !f.More", "nothing disturbed"},
	{"F14: a decoder reads too much, and what it had is lost", effectsFile,
		`in := w.queue[r][0]`, "in := w.queue[r][max(1, w.queued[r])-1]", "broke the protocol"},
	{"descriptors of what nobody reads any more stay open", effectsFile, `w.flying -= int8(w.queue[r][i].h.NFDs)`, `_ = i`, "neither delivered nor closed"},
	{"descriptors of a frame that is cut short stay open", effectsFile, "w.torn[r] = false\n\t\tw.flying--", "w.torn[r] = false", "neither delivered nor closed"},
}

// The walk is worth what it can find: each mistake is put back, with the compiler's own means, and the walk must name it.
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

// walk runs the walk over the mutant's code, which must fail, and returns what it says.
func (m mutant) walk(t *testing.T, root string) string {
	source, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		t.Fatalf("%s holds %d times what is to be replaced, want once: %s", m.file, n, m.old)
	}
	dir := t.TempDir()
	changed, overlay, binary := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "walk")
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
	build := exec.Command("go", "build", "-buildvcs=false", "-overlay", overlay, "-o", binary, "./internal/walk")
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
