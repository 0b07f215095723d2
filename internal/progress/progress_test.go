package progress

import (
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

// TestLine: nothing is shown before its time, to what is no terminal, or after the end; and what is shown has an end.
func TestLine(t *testing.T) {
	user, terminal := testenv.PTY(t)
	doing := func() string { return "end the processes" }

	begin(terminal, "delete early", doing, time.Hour).End(nil)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	for _, c := range []struct {
		out  *os.File
		what string
		err  error
	}{{write, "delete piped", nil}, {terminal, "delete web", nil}, {terminal, "kill db", errors.New("x")}} {
		asked := make(chan struct{})
		l := begin(c.out, c.what, func() string { close(asked); return doing() }, 0)
		if c.out == terminal {
			<-asked
		} else {
			l.show() // as the timer does, which may not have come yet
		}
		l.End(c.err)
		l.show() // as a timer that comes too late
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(read); err != nil || len(b) > 0 {
		t.Errorf("to a pipe: %q, %v", b, err)
	}
	if _, err := terminal.WriteString("the end"); err != nil {
		t.Fatal(err)
	}
	var screen strings.Builder
	for b := make([]byte, 1000); !strings.HasSuffix(screen.String(), "the end"); {
		n, err := user.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		screen.Write(b[:n])
	}
	got := regexp.MustCompile(`\d+\.\d s`).ReplaceAllString(strings.ReplaceAll(screen.String(), "\r", ""), "# s")
	want := "handfast: delete web: end the processes ...\nhandfast: delete web: done after # s\n" +
		"handfast: kill db: end the processes ...\nhandfast: kill db: failed after # s\nthe end"
	if got != want {
		t.Errorf("got %q", got)
	}
}
