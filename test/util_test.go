package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	sigUSR1 = syscall.SIGUSR1
	sigTERM = syscall.SIGTERM
)

// edit changes the config.json of a bundle.
func edit(t testing.TB, bundle string, change func(config map[string]any)) {
	t.Helper()
	path := filepath.Join(bundle, "config.json")
	var c map[string]any
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	change(c)
	if data, err = json.MarshalIndent(c, "", "  "); err == nil {
		err = os.WriteFile(path, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rootOf returns the path of a bundle's root filesystem.
func rootOf(t testing.TB, bundle string) (path string) {
	t.Helper()
	edit(t, bundle, func(c map[string]any) { path = c["root"].(map[string]any)["path"].(string) })
	return path
}

// lines reads a stream line by line in the background.
type lines struct{ c chan string }

func newLines(r io.Reader) *lines {
	l := &lines{c: make(chan string, 1000)}
	go func() {
		defer close(l.c)
		for s := bufio.NewScanner(r); s.Scan(); {
			l.c <- strings.TrimRight(s.Text(), "\r")
		}
	}()
	return l
}

// want skips lines until one contains text.
func (l *lines) want(t testing.TB, text string) string {
	t.Helper()
	var seen []string
	end := time.After(patience)
	for {
		select {
		case line, ok := <-l.c:
			if !ok {
				t.Fatalf("the output ended before %q: %q", text, seen)
			}
			if strings.Contains(line, text) {
				return line
			}
			seen = append(seen, line)
		case <-end:
			t.Fatalf("no %q in %q", text, seen)
		}
	}
}

// linuxIs reports whether the kernel is of this version or a later one.
func linuxIs(t testing.TB, wantMajor, wantMinor int) bool {
	t.Helper()
	var u unix.Utsname
	must(t, unix.Uname(&u))
	var major, minor int
	if n, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); n != 2 {
		t.Fatal(err)
	}
	return major > wantMajor || major == wantMajor && minor >= wantMinor
}
