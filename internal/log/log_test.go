package log

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

var noon = time.Date(2026, 1, 2, 12, 0, 0, 999, time.UTC)

func TestLine(t *testing.T) {
	golden.Only(t, "testdata/*")
	var b strings.Builder
	for _, about := range []Subject{
		{}, {Command: "list"}, {Command: "create", Container: "web", Phase: "make the group", Errno: unix.ENOSPC},
		{Command: "exec", Container: `a "b"` + "\n", Errno: 4000},
	} {
		for _, asJSON := range []bool{false, true} {
			b.Write(Line(asJSON, Error, `no "such" file <x>`, noon, about))
		}
	}
	golden.Compare(t, filepath.Join("testdata", "lines.txt"), b.String())
}

// TestLinesNameWhatTheyAreAbout: the phase is that of the failure even if the command has undone its work since, and
// the errno that of the error in the line, however deep it is wrapped.
func TestLinesNameWhatTheyAreAbout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := Open(Options{Path: path, Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	l.About("create", "web")
	l.Enter("make the group")
	l.Warnf("%d: %v", 1, fmt.Errorf("mkdir: %w", &fs.PathError{Op: "mkdir", Path: "/x", Err: unix.EROFS}))
	l.KeepPhase()
	l.Enter("remove the state")
	l.Warnf("no error")
	l.About("create", "db")
	l.Enter("find the container")
	l.Warnf("%v", errors.New("no errno"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(data)) {
		var m struct{ Command, Container, Phase, Errno string }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Command+"|"+m.Container+"|"+m.Phase+"|"+m.Errno)
	}
	want := []string{"create|web|make the group|EROFS", "create|web|make the group|", "create|db|find the container|"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestAnyMessageIsOneLine: whatever a peer or a file put into a message, it is one line, and the JSON gives it back.
func TestAnyMessageIsOneLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		msg := rapid.String().Draw(t, "msg")
		for _, asJSON := range []bool{false, true} {
			line := string(Line(asJSON, Error, msg, noon, Subject{Container: msg, Phase: msg}))
			if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
				t.Fatalf("%q", line)
			}
			var back struct{ Msg string }
			if asJSON && (json.Unmarshal([]byte(line), &back) != nil || back.Msg != strings.ToValidUTF8(msg, "�")) {
				t.Fatalf("%q came back as %q", msg, back.Msg)
			}
		}
		if strings.ContainsFunc(oneLine(msg), func(r rune) bool { return !strconv.IsGraphic(r) }) {
			t.Fatalf("%q", oneLine(msg))
		}
	})
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for range 2 {
		l, err := Open(Options{Path: path, Format: "json"})
		if err != nil {
			t.Fatal(err)
		}
		l.Warnf("warning %d", 1)
		l.Debugf("not asked for")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil || strings.Count(string(data), "\n") != 2 || strings.Contains(string(data), "asked") {
		t.Errorf("%q, %v", data, err)
	}
}

func TestOpenErrors(t *testing.T) {
	l, err := Open(Options{Format: "xml"})
	if err == nil || l == nil || !strings.Contains(err.Error(), "xml") {
		t.Errorf("%v", err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err = Open(Options{Path: pipe})
	if !errors.Is(err, unix.ENXIO) || l == nil || !strings.Contains(err.Error(), pipe) {
		t.Errorf("a pipe without a reader: %v", err)
	}
	l, err = Open(Options{Path: "/nonexistent/dir/log"})
	if !errors.Is(err, fs.ErrNotExist) || l == nil {
		t.Errorf("%v", err)
	}
}
