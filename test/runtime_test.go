package test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handfast/handfast/internal/testenv"
)

// patience limits how long a test waits for what the kernel does asynchronously.
const patience = 20 * time.Second

// runtime is handfast with a root directory of the test, which must be empty when the test ends.
type runtime struct {
	t      testing.TB
	binary string
	root   string
	global []string                  // further global options
	wrap   func(*exec.Cmd) *exec.Cmd // nil: commands run unchanged
}

func newRuntime(t testing.TB, global ...string) *runtime {
	t.Helper()
	testenv.Root(t)
	r := &runtime{t: t, binary: testenv.Binary(t), root: filepath.Join(testenv.Dir(t), "root"), global: global}
	t.Cleanup(r.empty)
	return r
}

// empty checks that no container is left, and removes any that are.
func (r *runtime) empty() {
	entries, _ := os.ReadDir(r.root)
	for _, e := range entries {
		if e.Name() == "@seccomp" {
			continue // compiled filters, which belong to no container
		}
		r.t.Errorf("left in the root directory: %s", e.Name())
		_ = exec.Command(r.binary, "--root", r.root, "delete", "--force", e.Name()).Run()
	}
}

// outcome is the result of a command: its streams and its exit status.
type outcome struct {
	stdout, stderr string
	status         int
}

func (r *runtime) command(args ...string) *exec.Cmd {
	all := append([]string{"--root", r.root}, r.global...)
	cmd := exec.Command(r.binary, append(all, args...)...)
	if r.wrap != nil {
		return r.wrap(cmd)
	}
	return cmd
}

// do runs a command to its end. Its streams are files, because a pipe would stay open for as long as a container has
// it.
func (r *runtime) do(args ...string) outcome {
	r.t.Helper()
	return finish(r.t, r.command(args...))
}

func finish(t testing.TB, cmd *exec.Cmd) outcome {
	t.Helper()
	dir := testenv.Dir(t)
	var streams [2]*os.File
	for i, name := range []string{"stdout", "stderr"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		streams[i] = f
	}
	cmd.Stdout, cmd.Stderr = streams[0], streams[1]
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var text [2]string
	for i, f := range streams {
		data, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		text[i] = string(data)
	}
	return outcome{text[0], text[1], cmd.ProcessState.ExitCode()}
}

// start starts a command for which the test waits itself. If the test fails before that, the clean-up kills it.
func start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
}

// ok runs a command that must succeed and print nothing, on standard error either.
func (r *runtime) ok(args ...string) {
	r.t.Helper()
	if o := r.do(args...); o.status != 0 || o.stdout != "" || o.stderr != "" {
		r.t.Fatalf("%v: status %d\nstdout: %s\nstderr: %s", args, o.status, o.stdout, o.stderr)
	}
}

// fails runs a command that must fail with status 1 and one line that contains all the words.
func (r *runtime) fails(words []string, args ...string) string {
	r.t.Helper()
	o := r.do(args...)
	r.oneLine(o, words)
	return o.stderr
}

func (r *runtime) oneLine(o outcome, words []string) {
	r.t.Helper()
	if o.status != 1 || o.stdout != "" || strings.Count(o.stderr, "\n") != 1 {
		r.t.Errorf("want status 1 and one line on standard error, got status %d\nstdout: %q\nstderr: %q", o.status, o.stdout,
			o.stderr)
	}
	for _, w := range words {
		if !strings.Contains(o.stderr, w) {
			r.t.Errorf("%q is not in the message: %s", w, o.stderr)
		}
	}
}

// stateOf returns the output of the command state.
func (r *runtime) stateOf(id string) map[string]any {
	r.t.Helper()
	o := r.do("state", id)
	if o.status != 0 || o.stderr != "" {
		r.t.Fatalf("state %s: status %d: %s", id, o.status, o.stderr)
	}
	var s map[string]any
	if err := json.Unmarshal([]byte(o.stdout), &s); err != nil {
		r.t.Fatalf("state %s: %v in %s", id, err, o.stdout)
	}
	return s
}

func (r *runtime) awaitStatus(id, want string) {
	r.t.Helper()
	eventually(r.t, "status "+want, func() bool { return r.stateOf(id)["status"] == want })
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never came: %s", what)
		}
	}
}

// shell returns a bundle with a busybox tree that runs a shell script.
func shell(t testing.TB, script string, mutate func(config map[string]any)) string {
	t.Helper()
	return testenv.Bundle(t, testenv.Busybox(t), func(c map[string]any) {
		testenv.SetArgs(c, "/bin/sh", "-c", script)
		if mutate != nil {
			mutate(c)
		}
	})
}

func process(config map[string]any) map[string]any { return config["process"].(map[string]any) }
func linux(config map[string]any) map[string]any   { return config["linux"].(map[string]any) }

func contains(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in:\n%s", w, text)
		}
	}
}
