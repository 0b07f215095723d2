package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transcript"
	"github.com/handfast/handfast/syncproto/transport"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

// hello is an event of a conversation, with a body in JSON.
func hello(body string) transport.Event {
	h := syncproto.Header{Kind: syncproto.KindHello, Seq: 1, Length: uint32(len(body))}
	return transport.Event{Sent: true, Header: h, State: syncproto.Greeted, Codec: "json", Payload: []byte(body)}
}

// record writes one command with two conversations into a file.
func record(t testing.TB, path, command, container string, why error) {
	t.Helper()
	r, err := Open(path, command, container)
	if err != nil {
		t.Fatal(err)
	}
	r.Enter("first")
	first, second := r.Conversation(), r.Conversation()
	first(hello(`{"min":1}`))
	second(hello(`{"min":2,"env":["PASSWORD=hunter2"],"args":["--token=hunter2"]}`))
	r.Enter("second")
	first(transport.Event{End: syncproto.Success})
	status := 0
	if why != nil {
		status = 1
	}
	if err := r.End(status, why); err != nil {
		t.Fatal(err)
	}
}

// shape is what the tests compare of a command.
func shape(c *Command) string {
	s := fmt.Sprintf("%s %s ended %t %d %q:", c.Name, c.Container, c.Ended, c.Status, c.Error)
	for _, p := range c.Phases {
		s += " " + p.Name
	}
	for _, t := range c.Conversations {
		s += fmt.Sprintf(" %d", len(t.Events))
	}
	return s
}

func shapes(all []*Command) (s []string) {
	for _, c := range all {
		s = append(s, shape(c))
	}
	return s
}

func TestCommandsShareAFile(t *testing.T) {
	path := filepath.Join(testenv.Dir(t), "trace")
	record(t, path, "create", "web", nil)
	record(t, path, "delete", "", &fs.PathError{Op: "rmdir", Path: "/x", Err: unix.EBUSY})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Read(bytes.NewReader(data))
	want := []string{`create web ended true 0 "": first second 2 1`,
		`delete  ended true 1 "rmdir /x: device or resource busy": first second 2 1`}
	if got := shapes(all); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %q", err, got)
	}
	for _, c := range all {
		if c.PID != os.Getpid() || c.Began.IsZero() || c.Phases[1].Began < c.Phases[0].Began || c.End < c.Phases[1].Began {
			t.Errorf("%+v", c)
		}
	}
	if body := all[0].Conversations[1].Events[0].Body; !strings.Contains(body, `"env":"[1 values of`) ||
		!strings.Contains(body, `"args":"[1 values of`) {
		t.Errorf("an environment or arguments are recorded: %s", body)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestTranscript: each conversation of a recording can be had alone, for programs that replay it.
func TestTranscript(t *testing.T) {
	path := filepath.Join(testenv.Dir(t), "trace")
	record(t, path, "create", "web", nil)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for number, frames := range []int{0, 2, 1} {
		if number == 0 {
			continue
		}
		raw, err := Transcript(all, number)
		if err != nil {
			t.Fatal(err)
		}
		again, err := transcript.Read(bytes.NewReader(raw))
		if err != nil || len(again.Events) != frames {
			t.Errorf("conversation %d: %v, %+v", number, err, again)
		}
		alone, err := Read(bytes.NewReader(raw))
		if err != nil || len(alone) != 1 || len(alone[0].Conversations[0].Events) != frames {
			t.Errorf("conversation %d: %v, %q", number, err, shapes(alone))
		}
		if _, err := Transcript(alone, 0); err == nil {
			t.Error("a transcript is made of itself")
		}
	}
	for _, number := range []int{-1, 0, 3} {
		if _, err := Transcript(all, number); err == nil || !strings.Contains(err.Error(), "of 2") {
			t.Errorf("conversation %d: %v", number, err)
		}
	}
}

// TestCommandsAtTheSameTime: the lines of commands that run at once mix, and each command is whole.
func TestCommandsAtTheSameTime(t *testing.T) {
	path := filepath.Join(testenv.Dir(t), "trace")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { record(t, path, "exec", fmt.Sprint("c", i), nil) })
	}
	wg.Wait()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := Read(f)
	if err != nil || len(all) != 8 {
		t.Fatalf("%v, %q", err, shapes(all))
	}
	for _, c := range all {
		if s := shape(c); !strings.HasSuffix(s, `ended true 0 "": first second 2 1`) {
			t.Error(s)
		}
	}
}

// TestDamage: a file that was cut off anywhere is read up to there, and a command that is appended after it is whole.
func TestDamage(t *testing.T) {
	dir := testenv.Dir(t)
	whole := filepath.Join(dir, "whole")
	record(t, whole, "create", "web", nil)
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	for n := 1; n < len(data); n++ {
		cut := data[:n]
		all, err := Read(bytes.NewReader(cut))
		if cutOff := cut[n-1] != '\n'; cutOff && !errors.Is(err, ErrDamaged) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if n > len(lines[0]) && (len(all) != 1 || all[0].Name != "create" || all[0].Ended) {
			t.Fatalf("%d bytes: %q", n, shapes(all))
		}
		if n < len(opening) || n%7 > 0 {
			continue // nothing is appended to what is no recording yet, and the same at every other place
		}
		path := filepath.Join(dir, "cut")
		if err := os.WriteFile(path, cut, 0o600); err != nil {
			t.Fatal(err)
		}
		record(t, path, "delete", "web", nil)
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all, _ = Read(bytes.NewReader(after))
		if got := shapes(all); len(got) == 0 || got[len(got)-1] != `delete web ended true 0 "": first second 2 1` {
			t.Fatalf("%d bytes: %q", n, got)
		}
	}
	// A line that is lost from the middle.
	for i := range lines[:len(lines)-1] {
		rest := slices.Concat(slices.Concat(lines[:i]...), []byte("?\n"), slices.Concat(lines[i+1:]...))
		if i == 0 {
			continue // what does not begin as a recording is none
		}
		all, err := Read(bytes.NewReader(rest))
		if len(all) != 1 || !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), fmt.Sprintf("line %d ", i+1)) {
			t.Errorf("without line %d: %v, %q", i+1, err, shapes(all))
		}
	}
}

// TestHostileFiles: a file that has no end, or cannot be read further, ends with an error that names the line, and
// costs little more memory than its longest line, however many lines are damaged.
func TestHostileFiles(t *testing.T) {
	const begin = `{"run":"a","ns":0,"command":"x"}` + "\n"
	broken := errors.New("broken disk")
	for name, c := range map[string]struct {
		rest io.Reader
		want string
	}{
		"one endless line": {endless("x"), "line 2 is where 64 MiB end"},
		"endless lines": {endless(strings.Repeat("x", 99) + "\n"),
			"line 2 is no line of a recording: invalid character 'x' looking for beginning of value, and 6"},
		"an error in a line": {io.MultiReader(strings.NewReader("{"), iotest.ErrReader(broken)),
			"line 2 cannot be read: broken disk"},
		"an error between lines": {iotest.ErrReader(broken), "line 2 cannot be read: broken disk"},
		"deep": {strings.NewReader(strings.Repeat("[", 1<<20) + "\n"),
			"line 2 is no line of a recording: invalid character '[' exceeded max depth"},
		"a time beyond the clock": {strings.NewReader(`{"run":"a","ns":9223372036854775808,"phase":"x"}` + "\n"),
			"line 2 is no line"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		all, err := Read(io.MultiReader(strings.NewReader(begin), c.rest))
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.want) || len(all) != 1 {
			t.Errorf("%s: %v, %q", name, err, shapes(all))
		}
		if n := int64(after.HeapSys) - int64(before.HeapSys); n > 256<<20 {
			t.Errorf("%s: the heap grew by %d bytes", name, n)
		}
	}
}

// endless is text again and again.
type endless string

func (e endless) Read(b []byte) (n int, err error) {
	for len(b)-n >= len(e) {
		n += copy(b[n:], e)
	}
	if n == 0 { // no room for a whole one
		n = copy(b, "\n")
	}
	return n, nil
}

func TestErrors(t *testing.T) {
	dir := testenv.Dir(t)
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(pipe, "run", "web"); err == nil || !strings.Contains(err.Error(), pipe+": it is a pipe") {
		t.Errorf("a pipe without a reader: %v", err)
	}
	other := filepath.Join(dir, "other")
	const text = "{}\n"
	if err := os.WriteFile(other, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(other, "run", "web"); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), other) {
		t.Errorf("%v", err)
	}
	if data, err := os.ReadFile(other); err != nil || string(data) != text {
		t.Errorf("a file of somebody else was changed: %q, %v", data, err)
	}
	if _, err := Open(filepath.Join(dir, "none", "x"), "run", "web"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"", "root:x", "HFTR", "HFTR\x02\x00"} {
		if all, err := Read(strings.NewReader(text)); !errors.Is(err, ErrFormat) || all != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if all, err := Read(strings.NewReader("HFTR\x01\x00")); err != nil || len(all) != 1 {
		t.Errorf("a transcript alone: %v", err)
	}
	var r *Recorder
	r.Enter("nothing")
	if r.Conversation() != nil || r.End(0, nil) != nil {
		t.Error("a nil Recorder records")
	}
}

// TestFullDisk: an error of writing is kept until the end, and nothing is written after it.
func TestFullDisk(t *testing.T) {
	r, err := Open("/dev/full", "run", "web")
	if err != nil {
		t.Fatal(err)
	}
	r.Enter("first")
	r.Conversation()(hello("{}"))
	if err := r.End(0, nil); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("%v", err)
	}
}

// FuzzRead: any bytes are read without a panic, every command that is returned can be looked at, and an error is one of
// the two.
func FuzzRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), "trace")
	record(f, path, "create", "web", errors.New("x"))
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("HFTR\x01\x00"))
	for _, l := range []line{{Run: "a", Conversation: 2, Data: []byte("HFTR\x01\x00")}, {Run: "a", Conversation: -1},
		{Run: "a", NS: -1, Phase: "x"}, {Phase: "x"}, {Run: "a", NS: 1 << 62, Phase: "x"}} {
		text, err := json.Marshal(l)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(text, '\n'))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := Read(bytes.NewReader(data))
		if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrFormat) {
			t.Errorf("%v", err)
		}
		for _, c := range all {
			if shape(c) == "" || c.Last() < 0 {
				t.Errorf("%+v", c)
			}
		}
	})
}
