package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// keptFilters returns the files of compiled filters below the root directory.
func (r *runtime) keptFilters() []string {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join(r.root, "@seccomp", "*"))
	if err != nil {
		r.t.Fatal(err)
	}
	return files
}

// TestSeccompKept: a compiled filter is cached and used again, but not if it is damaged or if other users could have
// written it. The container always runs under its profile.
func TestSeccompKept(t *testing.T) {
	r := newRuntime(t)
	log := filepath.Join(testenv.Dir(t), "log")
	r.global = []string{"--debug", "--log", log}
	bundle := shell(t, "mkdir /tmp/x 2>&1; exit 0", func(c map[string]any) {
		linux(c)["seccomp"] = profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_ERRNO", 33, "mkdir", "mkdirat"))
	})
	run := func(why, logged string) {
		t.Helper()
		_ = os.Truncate(log, 0)
		if o := r.do("run", "-b", bundle, testenv.ID(t)); o.status != 0 || o.stderr != "" || !strings.Contains(o.stdout,
			"argument out of domain") {
			t.Fatalf("%s: %+v", why, o)
		}
		text, err := os.ReadFile(log)
		if err != nil || strings.Contains(string(text), "seccomp: ") != (logged != "") ||
			!strings.Contains(string(text), logged) {
			t.Errorf("%s: want %q in the log: %s", why, logged, text)
		}
		if n := len(r.keptFilters()); n != 1 {
			t.Errorf("%s: %d files are kept", why, n)
		}
	}
	run("first", "")
	file := r.keptFilters()[0]
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	run("again", "")
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
		t.Errorf("it was written again: %v", err)
	}
	change := func(change func() error) {
		t.Helper()
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	change(func() error {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		data[len(data)/4] ^= 1
		return os.WriteFile(file, data, 0o600)
	})
	run("damaged", "damaged")
	run("made anew", "")
	change(func() error { return os.Chmod(file, 0o606) })
	run("others may write it", "gives others access")
	run("replaced", "")
	change(func() error { return os.Chown(file, 1234, 1234) })
	run("of another user", "its owner is user 1234")
	change(func() error { return os.Chmod(filepath.Dir(file), 0o777) })
	run("others may write to the directory", "is not kept")
}

// TestSeccompOfAContainerGone: exec does not execute anything in a container whose filter cannot be read.
func TestSeccompOfAContainerGone(t *testing.T) {
	r := newRuntime(t)
	id, _ := r.sleeper(func(c map[string]any) {
		linux(c)["seccomp"] = profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_ERRNO", 33, "mkdir", "mkdirat"))
	})
	file := filepath.Join(r.root, id, "filter")
	if err := os.Truncate(file, 100); err != nil {
		t.Fatal(err)
	}
	r.notStarted([]string{id, "seccomp filter", file}, id, "true")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	r.notStarted([]string{id, "seccomp filter", "no such file"}, id, "true")
}

// TestSeccompUnderASmallMemoryLimit: half a MiB is enough under Docker's profile too.
func TestSeccompUnderASmallMemoryLimit(t *testing.T) {
	amd64(t)
	r, p := newRuntime(t), dockerProfile(t)
	for _, privs := range []bool{true, false} {
		bundle := shell(t, "exit 7", func(c map[string]any) {
			memoryLimit(512 << 10)(c)
			linux(c)["seccomp"] = p
			process(c)["noNewPrivileges"] = privs
		})
		for range 5 {
			if o := r.do("run", "-b", bundle, testenv.ID(t)); o.status != 7 || o.stderr != "" {
				t.Fatalf("%+v", o)
			}
		}
	}
}
