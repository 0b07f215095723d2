package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// hookKinds in the order in which they run.
var hookKinds = []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}

// recordHooks makes every hook append its name and its standard input to one file. Hooks that run in the container's
// mount namespace after the root has changed see the file through a bind mount.
func recordHooks(t testing.TB, c map[string]any, dir string) {
	t.Helper()
	addMount(c, "/record", "bind", dir, "bind", "rw")
	for _, kind := range hookKinds {
		where := dir
		if kind == "startContainer" {
			where = "/record"
		}
		script := "{ echo " + kind + "; cat; echo; } >> " + where + "/all; echo noise >&2; env > " + where + "/env-" + kind
		setHook(c, kind, 0, "/bin/sh", "sh", "-c", script)
	}
}

// readHookRecords returns what the hooks wrote: their names in order, and the states that they got.
func readHookRecords(t testing.TB, dir string) (names []string, states []map[string]any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "all"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSpace(string(data))
	for len(text) > 0 {
		name, rest, _ := strings.Cut(text, "\n")
		d := json.NewDecoder(strings.NewReader(rest))
		var s map[string]any
		if err := d.Decode(&s); err != nil {
			t.Fatalf("state for %s: %v in %q", name, err, rest)
		}
		names, states = append(names, name), append(states, s)
		text = strings.TrimSpace(rest[d.InputOffset():])
	}
	return names, states
}

func TestHooksRunInOrderWithTheState(t *testing.T) {
	r, id, dir := newRuntime(t), testenv.ID(t), testenv.Dir(t)
	bundle := shell(t, "exit 0", func(c map[string]any) {
		recordHooks(t, c, dir)
		c["annotations"] = map[string]any{"org.example.key": "value"}
	})
	r.ok("create", "-b", bundle, id)
	names, _ := readHookRecords(t, dir)
	if got := strings.Join(names, " "); got != "prestart createRuntime createContainer" {
		t.Errorf("after create: %s", got)
	}
	pid := r.stateOf(id)["pid"]
	r.ok("start", id)
	r.awaitStatus(id, "stopped")
	r.ok("delete", id)

	names, states := readHookRecords(t, dir)
	if got, want := strings.Join(names, " "), strings.Join(hookKinds, " "); got != want {
		t.Fatalf("hooks: %s, want %s", got, want)
	}
	for i, want := range []string{"creating", "creating", "creating", "created", "running", "stopped"} {
		s := states[i]
		if s["id"] != id || s["bundle"] != bundle || s["ociVersion"] == nil ||
			s["status"] != want && !(names[i] == "poststart" && s["status"] == "stopped") {
			t.Errorf("%s: state %v, want status %s", names[i], s, want)
		}
		if a, _ := s["annotations"].(map[string]any); a["org.example.key"] != "value" {
			t.Errorf("%s: annotations %v", names[i], s["annotations"])
		}
		if i < 2 && s["pid"] != pid {
			t.Errorf("%s: pid %v, want the host's %v", names[i], s["pid"], pid)
		}
	}
}

// TestHooksEnvironment: a hook has exactly the environment of its configuration.
func TestHooksEnvironment(t *testing.T) {
	r, id, dir := newRuntime(t), testenv.ID(t), testenv.Dir(t)
	script := "env > " + dir + "/env"
	bundle := shell(t, "exit 0", func(c map[string]any) {
		c["hooks"] = map[string]any{"createRuntime": []any{map[string]any{"path": "/bin/sh",
			"args": []any{"sh", "-c", script}, "env": []any{"ONLY=this"}}}}
	})
	cmd := r.command("run", "-b", bundle, id)
	cmd.Env = append(os.Environ(), "SECRET=of the caller")
	if o := finish(t, cmd); o != (outcome{}) {
		t.Errorf("%+v", o)
	}
	data, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil || !strings.Contains(string(data), "ONLY=this\n") || strings.Contains(string(data), "SECRET") {
		t.Errorf("%q, %v", data, err)
	}
}

// TestHooksWithoutEnvironment: a hook's working directory and the environment that it inherits are as with runc; a
// relative path of a createContainer hook is relative to the container's root.
func TestHooksWithoutEnvironment(t *testing.T) {
	r, id, dir := newRuntime(t), testenv.ID(t), testenv.Dir(t)
	bundle := shell(t, "exit 0", func(c map[string]any) {
		addMount(c, "/record", "bind", dir, "bind", "rw")
		process(c)["env"] = append(process(c)["env"].([]any), "PROGRAM=yes")
		process(c)["cwd"] = "/tmp"
		for _, kind := range hookKinds {
			where := dir
			if kind == "startContainer" {
				where = "/record"
			}
			setHook(c, kind, 0, "/bin/sh", "sh", "-c", "echo $(pwd) $CALLER$PROGRAM >"+where+"/"+kind)
			setHook(c, kind, 0, "/bin/sh", "sh", "-c", "echo $CALLER$PROGRAM >"+where+"/none-"+kind)
			hooks := c["hooks"].(map[string]any)[kind].([]any)
			hooks[1].(map[string]any)["env"] = []any{}
		}
		setHook(c, "createContainer", 0, "/bin/sh", "sh", "-c", "echo >relative")
	})
	for _, args := range [][]string{{"create", "-b", bundle, id}, {"start", id}, {"delete", "--force", id}} {
		cmd := r.command(args...)
		cmd.Env = append(os.Environ(), "CALLER=yes")
		cmd.Dir = "/"
		if o := finish(t, cmd); o != (outcome{}) {
			t.Fatalf("%v: %+v", args, o)
		}
	}
	read := func(name string) string {
		data, _ := os.ReadFile(filepath.Join(dir, name))
		return strings.TrimSpace(string(data))
	}
	for _, kind := range hookKinds {
		want := bundle + " yes" // the caller's
		switch kind {
		case "createContainer":
			want = rootOf(t, bundle) + " yes" // the program's
		case "startContainer":
			want = "/tmp yes"
		}
		if got := read(kind); got != want {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
		if got := read("none-" + kind); got != "" {
			t.Errorf("%s with an empty env has %q", kind, got)
		}
	}
	if _, err := os.Stat(filepath.Join(rootOf(t, bundle), "relative")); err != nil {
		t.Error(err)
	}
}

// TestSignalDuringCreate: if the runtime is ended while it waits for a hook, it reports an error, and leaves nothing
// behind.
func TestSignalDuringCreate(t *testing.T) {
	r, id, dir := newRuntime(t), testenv.ID(t), testenv.Dir(t)
	bundle := shell(t, "exit 0", func(c map[string]any) {
		setHook(c, "createRuntime", 0, "/bin/sh", "sh", "-c", "touch "+dir+"/begun; sleep 1000")
	})
	cmd := r.command("create", "-b", bundle, id)
	go func() {
		eventually(t, "the hook runs", func() bool { _, err := os.Stat(filepath.Join(dir, "begun")); return err == nil })
		_ = cmd.Process.Signal(sigTERM)
	}()
	r.oneLine(finish(t, cmd), []string{"terminated"})
}

// TestFailingHookRunsPoststop: if a createRuntime hook fails, poststop hooks undo what the earlier ones did.
func TestFailingHookRunsPoststop(t *testing.T) {
	r, id, dir := newRuntime(t), testenv.ID(t), testenv.Dir(t)
	bundle := shell(t, "exit 0", func(c map[string]any) {
		setHook(c, "createRuntime", 0, "/bin/touch", "touch", dir+"/made")
		setHook(c, "createRuntime", 0, "/bin/false", "false")
		setHook(c, "poststop", 0, "/bin/rm", "rm", dir+"/made")
	})
	r.fails([]string{"createRuntime", "/bin/false"}, "create", "-b", bundle, id)
	if _, err := os.Stat(filepath.Join(dir, "made")); !os.IsNotExist(err) {
		t.Errorf("the poststop hook did not run: %v", err)
	}
}

// TestFailingPoststart: the specification requires an error and that the container is stopped.
func TestFailingPoststart(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, "sleep 1000", func(c map[string]any) { setHook(c, "poststart", 0, "/bin/false", "false") })
	r.fails([]string{"poststart", "/bin/false"}, "run", "-b", bundle, id)
	r.ok("create", "-b", bundle, id)
	r.fails([]string{"poststart", "/bin/false"}, "start", id)
	if o := r.do("state", id); o.status == 0 {
		contains(t, o.stdout, `"stopped"`)
	}
	r.ok("delete", "--force", id)
}

// TestFailingPoststopIsAWarning: the container is deleted nevertheless, and the next hook runs.
func TestFailingPoststopIsAWarning(t *testing.T) {
	log := filepath.Join(testenv.Dir(t), "log")
	r, id := newRuntime(t, "--log", log), testenv.ID(t)
	r.ok("run", "-b", shell(t, "exit 0", func(c map[string]any) { setHook(c, "poststop", 0, "/bin/false", "false") }), id)
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(data), "level=warning", "poststop", "/bin/false")

	// Without --log it goes to standard error.
	r, id = newRuntime(t), testenv.ID(t)
	next := filepath.Join(testenv.Dir(t), "next")
	o := r.do("run", "-b", shell(t, "exit 0", func(c map[string]any) {
		setHook(c, "poststop", 0, "/bin/false", "false")
		setHook(c, "poststop", 0, "/bin/touch", "touch", next)
	}), id)
	contains(t, o.stderr, "level=warning", "poststop hook #0", "/bin/false")
	if _, err := os.Stat(next); err != nil || o.status != 0 {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestSignalDuringAStartContainerHook: the program does not run yet, so a terminating signal ends the start of the
// container, and nothing is left.
func TestSignalDuringAStartContainerHook(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, "echo program", func(c map[string]any) {
		setHook(c, "startContainer", 0, "/bin/sh", "sh", "-c", "echo >/begun; exec sleep 1000")
	})
	begun := filepath.Join(rootOf(t, bundle), "begun")
	cmd := r.command("run", "-b", bundle, id)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	start(t, cmd)
	eventually(t, "the hook", func() bool { _, err := os.Stat(begun); return err == nil })
	_ = cmd.Process.Signal(sigTERM)
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(out.String(), "ended by signal: terminated") {
		t.Errorf("%v: %s", cmd.ProcessState, out.String())
	}
	r.fails([]string{"does not exist"}, "state", id)
}
