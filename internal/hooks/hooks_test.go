package hooks

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/syncproto/container"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

func sh(script string) container.Hook {
	return container.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}}
}

// TestWhatAHookSees: a hook gets the state on standard input, its own args[0] and environment, and nothing of this
// process.
func TestWhatAHookSees(t *testing.T) {
	t.Setenv("HANDFAST_TEST_OURS", "1")
	file := filepath.Join(t.TempDir(), "seen")
	list := []container.Hook{
		{Path: "/bin/sh", Args: []string{"my-name", "-c", `echo "$0" >>` + file + `; cat >>` + file}},
		{Path: "/bin/sh", Args: []string{"sh", "-c", `echo; echo "<$A><$HANDFAST_TEST_OURS>" >>` + file},
			Env: []string{"A=b"}},
	}
	if err := Run(t.Context(), "prestart", list, Input{State: []byte(`{"id":"x"}`)}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := "my-name\n{\"id\":\"x\"}<b><>\n"; string(got) != want {
		t.Errorf("hooks saw %q, want %q", got, want)
	}
}

// TestEnvironmentIsEmpty reads the environment from /proc, because a shell would add to its own.
func TestEnvironmentIsEmpty(t *testing.T) {
	h := sh(`test ! -s /proc/$$/environ`)
	h.NoEnv = true
	if err := Run(t.Context(), "prestart", []container.Hook{h}, Input{}); err != nil {
		t.Error(err)
	}
}

// TestInherits: a hook inherits this process's environment, and starts in the requested directory, if that exists.
func TestInherits(t *testing.T) {
	t.Setenv("HANDFAST_TEST_OURS", "1")
	dir := t.TempDir()
	h := sh(`test "$HANDFAST_TEST_OURS" = 1 && echo >here`)
	if err := Run(t.Context(), "prestart", []container.Hook{h}, Input{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "here")); err != nil {
		t.Error(err)
	}
	if err := Run(t.Context(), "poststop", []container.Hook{sh("exit 0")}, Input{Dir: dir + "/gone"}); err != nil {
		t.Errorf("without the bundle: %v", err)
	}
}

func TestFailures(t *testing.T) {
	notExecutable := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(notExecutable, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		hook container.Hook
		is   error
		want string
	}{
		{"status", sh("echo out; echo 'went \"wrong\"' >&2; exit 3"), nil,
			`error running createRuntime hook #0: /bin/sh: exit status 3: it wrote "out\nwent \"wrong\""`},
		{"silent", sh("exit 1"), nil, `error running createRuntime hook #0: /bin/sh: exit status 1`},
		{"signal", sh("kill -9 $$"), nil, `error running createRuntime hook #0: /bin/sh: signal: killed`},
		{"missing", container.Hook{Path: "/nonexistent/hook"}, unix.ENOENT,
			`error running createRuntime hook #0: /nonexistent/hook: no such file or directory`},
		{"not executable", container.Hook{Path: notExecutable}, unix.EACCES,
			`error running createRuntime hook #0: ` + notExecutable + `: permission denied`},
		{"relative", container.Hook{Path: "sh"}, nil, `error running createRuntime hook #0: sh: the path is not absolute`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Run(t.Context(), "createRuntime", []container.Hook{c.hook, sh("exit 9")}, Input{State: []byte("{}")})
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
		})
	}
}

// TestTimeoutKillsTheGroup: neither the hook nor what it started outlives its timeout.
func TestTimeoutKillsTheGroup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	h := sh(`sleep 1000 & echo $! >` + file + `; wait`)
	h.Timeout = 1
	err := Run(t.Context(), "poststop", []container.Hook{h}, Input{})
	if want := "error running poststop hook #0: /bin/sh: killed after its timeout of 1 s"; err == nil ||
		err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	pid, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// The reaper of orphans on this host may take a moment.
	for range 500 {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("what the hook started still lives")
}

// TestBackground: processes that a hook leaves running do not delay the runtime, and a hook that does not read its
// input is no failure.
func TestBackground(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	in := Input{State: []byte(strings.Repeat("x", 1<<20))}
	err := Run(t.Context(), "poststart", []container.Hook{sh(`sleep 1000 & echo $! >` + file)}, in)
	if err != nil {
		t.Error(err)
	}
	pid, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out := testKill(strings.TrimSpace(string(pid))); out != nil {
		t.Error(out)
	}
}

func testKill(pid string) error {
	return Run(context.Background(), "test", []container.Hook{sh("kill -9 " + pid)}, Input{})
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
	if err := Run(ctx, "prestart", []container.Hook{sh("sleep 1000")}, Input{}); !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
}

func TestRunAllGoesOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ran")
	list := []container.Hook{sh("exit 1"), sh("echo >" + file), sh("exit 2")}
	failed := RunAll(t.Context(), "poststop", list, Input{})
	if len(failed) != 2 || !strings.Contains(failed[1].Error(), "poststop hook #2") {
		t.Errorf("failed: %v", failed)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

func TestTail(t *testing.T) {
	for _, c := range []struct {
		name   string
		writes []string
		want   string
	}{
		{"nothing", nil, ""},
		{"trimmed", []string{"\n a\n", "b \n"}, "a\nb"},
		{"one long", []string{strings.Repeat("a", 5000) + "end"}, "..." + strings.Repeat("a", tailLimit-3) + "end"},
		{"many", []string{strings.Repeat("a", 1000), strings.Repeat("b", 1000)},
			"..." + strings.Repeat("a", tailLimit-1000) + strings.Repeat("b", 1000)},
	} {
		var x tail
		for _, w := range c.writes {
			if n, err := x.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("%s: Write = %d, %v", c.name, n, err)
			}
		}
		if got := x.String(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
