package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestTimerSlack: the runtime only raises the timer slack of one of its own threads. The container's program, its hooks
// and processes of exec have the timer slack of the runtime's caller.
func TestTimerSlack(t *testing.T) {
	const file = "/proc/self/timerslack_ns"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSpace(string(data))
	check := func(what, got string) {
		t.Helper()
		if got = strings.TrimSpace(got); got != want {
			t.Errorf("%s has a timer slack of %q ns, its caller %s", what, got, want)
		}
	}
	r := newRuntime(t)
	for _, user := range []bool{false, true} {
		dir := testenv.Dir(t)
		kinds := []string{"createRuntime", "createContainer", "poststart"}
		bundle := testenv.Bundle(t, testenv.Busybox(t), func(c map[string]any) {
			testenv.SetArgs(c, "/bin/cat", file)
			if user {
				testenv.MapIDs(c, hostIDs, 65536)
				kinds = nil
			}
			for _, kind := range kinds {
				setHook(c, kind, 0, "/bin/sh", "sh", "-c", "cat "+file+" >"+filepath.Join(dir, kind))
			}
		})
		o := r.do("run", "-b", bundle, testenv.ID(t))
		check("a program", o.stdout+o.stderr)
		for _, kind := range kinds {
			text, err := os.ReadFile(filepath.Join(dir, kind))
			if err != nil {
				t.Fatal(err)
			}
			check("a hook "+kind, string(text))
		}
	}
	id, _ := r.sleeper(nil)
	o := r.do("exec", id, "/bin/cat", file)
	check("what is executed", o.stdout+o.stderr)
}
