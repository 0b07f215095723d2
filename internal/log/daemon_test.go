package log

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// service is a logging service's socket; read gives one datagram.
func service(t *testing.T) (path string, read func() string) {
	t.Helper()
	path = filepath.Join(testenv.Dir(t), "socket")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return path, func() string {
		b := make([]byte, 1<<20)
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func TestServices(t *testing.T) {
	path, read := service(t)
	for _, journal := range []bool{true, false} {
		d, err := dialSocket(path, "web", journal)
		if err != nil {
			t.Fatal(err)
		}
		l := &Logger{daemon: d}
		l.About("run", "c\n1")
		l.Warnf("two\nlines%.0v", unix.EPERM)
		want := "PRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=web\nHANDFAST_COMMAND=run\nHANDFAST_CONTAINER=c; 1\n" +
			"ERRNO=1\nMESSAGE=two; lines\n"
		got := read()
		if !journal {
			want = "]: two; lines"
			if !strings.HasPrefix(got, "<28>") || !strings.Contains(got, " web[") {
				t.Errorf("got %q", got)
			}
		}
		if !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		l.Debugf("not asked for")
		l.Warnf("%s", strings.Repeat("é", 1<<20)) // more than a datagram takes
		if got := read(); !strings.Contains(got, "éé") || strings.ContainsRune(got, '\ufffd') {
			t.Errorf("a long line: %d bytes", len(got))
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestServicesThatAreNotThere(t *testing.T) {
	if _, err := dialSocket(filepath.Join(t.TempDir(), "none"), "x", true); !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v", err)
	}
	for path, words := range map[string]string{
		"syslog:a b": "not a name to log as", "journald:a:b": "not a name to log as",
	} {
		l, err := Open(Options{Path: path})
		if err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "--log "+path) {
			t.Errorf("%s: %v", path, err)
		}
		_ = l.Close()
	}
}

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "warning error"}, {Options{Level: "warning"}, "warning error"}, {Options{Level: "error"}, "error"},
		{Options{Level: "debug"}, "debug warning error"}, {Options{Level: "error", Debug: true}, "debug warning error"},
	} {
		path, read := service(t)
		d, err := dialSocket(path, "x", true)
		if err != nil {
			t.Fatal(err)
		}
		l, err := Open(c.o)
		if err != nil {
			t.Fatal(err)
		}
		l.daemon = d
		l.Debugf("debug")
		l.Warnf("warning")
		l.write(Error, "error", nil)
		var got []string
		for len(got) == 0 || got[len(got)-1] != "error" {
			_, text, _ := strings.Cut(read(), "MESSAGE=")
			got = append(got, strings.TrimSpace(text))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: got %q, want %q", c.o, got, c.want)
		}
		_ = l.Close()
	}
	if _, err := Open(Options{Level: "loud"}); err == nil ||
		!strings.Contains(err.Error(), `--log-level "loud": want error, warning or debug`) {
		t.Errorf("got %v", err)
	}
}
