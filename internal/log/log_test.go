package log

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

var noon = time.Date(2026, 1, 2, 12, 0, 0, 999, time.UTC)

func TestLine(t *testing.T) {
	if got, want := string(Line(false, Error, `no "such" file`, noon)),
		`time="2026-01-02T12:00:00Z" level=error msg="no \"such\" file"`+"\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	if got, want := string(Line(true, Warning, "a<b", noon)),
		`{"level":"warning","msg":"a<b","time":"2026-01-02T12:00:00Z"}`+"\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

// TestAnyMessageIsOneLine: whatever a peer or a file put into a message, it is one line, and the JSON gives it back.
func TestAnyMessageIsOneLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		msg := rapid.String().Draw(t, "msg")
		for _, asJSON := range []bool{false, true} {
			line := string(Line(asJSON, Error, msg, noon))
			if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
				t.Fatalf("%q", line)
			}
			var back struct{ Msg string }
			if asJSON && (json.Unmarshal([]byte(line), &back) != nil || back.Msg != strings.ToValidUTF8(msg, "�")) {
				t.Fatalf("%q came back as %q", msg, back.Msg)
			}
		}
		if strings.ContainsAny(oneLine(msg), "\n\r\x00\x1b") {
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
	l, err = Open(Options{Path: "/nonexistent/dir/log"})
	if !errors.Is(err, fs.ErrNotExist) || l == nil {
		t.Errorf("%v", err)
	}
}
