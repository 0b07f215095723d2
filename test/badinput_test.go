package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// badConfig is a change to a valid configuration with which create must fail.
type badConfig struct {
	name  string
	edit  func(t testing.TB, c map[string]any)
	words []string // of the message
}

func badConfigs() []badConfig {
	first := func(t testing.TB, c map[string]any, args ...string) { testenv.SetArgs(c, args...) }
	return []badConfig{
		{"version unknown", func(_ testing.TB, c map[string]any) { c["ociVersion"] = "3.0.0" },
			[]string{"ociVersion", "3.0.0"}},
		{"version not a version", func(_ testing.TB, c map[string]any) { c["ociVersion"] = "new" },
			[]string{"ociVersion", "new"}},
		{"root missing", func(_ testing.TB, c map[string]any) { c["root"] = map[string]any{"path": "/nonexistent/rootfs"} },
			[]string{"/nonexistent/rootfs", "no such file or directory"}},
		{"root relative and missing", func(_ testing.TB,
			c map[string]any) {
			c["root"] = map[string]any{"path": "no-rootfs"}
		},
			[]string{"no-rootfs", "no such file or directory"}},
		{"root is a file", func(_ testing.TB, c map[string]any) { c["root"] = map[string]any{"path": "/etc/passwd"} },
			[]string{"/etc/passwd", "not a directory"}},
		{"program missing", func(t testing.TB, c map[string]any) { first(t, c, "/bin/nonexistent") },
			[]string{"/bin/nonexistent", "no such file or directory"}},
		{"program not in PATH", func(t testing.TB, c map[string]any) { first(t, c, "nonexistent") },
			[]string{"nonexistent", "executable file not found in $PATH"}},
		{"program not executable", func(t testing.TB, c map[string]any) { first(t, c, "/etc/passwd") },
			[]string{"/etc/passwd", "permission denied"}},
		{"program is a directory", func(t testing.TB, c map[string]any) { first(t, c, "/etc") },
			[]string{"/etc", "is a directory"}},
		{"arguments larger than an execution takes", func(t testing.TB, c map[string]any) {
			first(t, c, "/bin/true",
				strings.Repeat("x", 9<<20))
		},
			[]string{"config.json: process: ", "want at most 8388608"}},
		{"namespace of the wrong type", func(_ testing.TB, c map[string]any) {
			setNamespace(c, "network",
				"/proc/self/ns/uts")
		},
			[]string{"network", "/proc/self/ns/uts"}},
		{"namespace missing", func(_ testing.TB, c map[string]any) { setNamespace(c, "network", "/nonexistent/ns") },
			[]string{"network", "/nonexistent/ns", "no such file or directory"}},
		{"namespace is a file", func(_ testing.TB, c map[string]any) { setNamespace(c, "ipc", "/etc/passwd") },
			[]string{"ipc", "/etc/passwd"}},
		{"mount option unknown", func(_ testing.TB, c map[string]any) { addMount(c, "/mnt", "tmpfs", "tmpfs", "bogus=1") },
			[]string{"/mnt", "bogus"}},
		{"mount type unknown", func(_ testing.TB, c map[string]any) { addMount(c, "/mnt", "bogusfs", "none") },
			[]string{"/mnt", "bogusfs"}},
		{"mount source missing", func(_ testing.TB, c map[string]any) {
			addMount(c, "/mnt", "bind", "/nonexistent/source",
				"bind")
		},
			[]string{"/nonexistent/source", "no such file or directory"}},
		{"hook fails", func(_ testing.TB, c map[string]any) {
			setHook(c, "createRuntime", 0, "/bin/sh", "sh", "-c", "echo hook words >&2; exit 3")
		},
			[]string{"createRuntime", "/bin/sh", "3"}},
		{"hook missing", func(_ testing.TB, c map[string]any) { setHook(c, "prestart", 0, "/nonexistent/hook") },
			[]string{"prestart", "/nonexistent/hook", "no such file or directory"}},
		{"hook hangs", func(_ testing.TB, c map[string]any) { setHook(c, "createRuntime", 1, "/bin/sleep", "sleep", "1000") },
			[]string{"createRuntime", "/bin/sleep", "1"}},
		{"hook of the container fails", func(_ testing.TB, c map[string]any) {
			setHook(c, "createContainer", 0, "/bin/false",
				"false")
		},
			[]string{"hook", "/bin/false"}},
		{"hook of the container hangs", func(_ testing.TB, c map[string]any) {
			setHook(c, "createContainer", 1, "/bin/sleep",
				"sleep", "1000")
		},
			[]string{"hook", "/bin/sleep", "timeout of 1 s"}},
		{"seccomp", func(_ testing.TB, c map[string]any) {
			linux(c)["seccomp"] = map[string]any{"defaultAction": "SCMP_ACT_PERMIT"}
		},
			[]string{"config.json: linux.seccomp.defaultAction", "SCMP_ACT_PERMIT"}},
		{"a personality", func(_ testing.TB, c map[string]any) {
			linux(c)["personality"] = map[string]any{"domain": "LINUX64"}
		},
			[]string{"config.json: linux.personality.domain", "LINUX64", "LINUX32"}},
		{"a memory node that is not there", func(_ testing.TB, c map[string]any) {
			linux(c)["memoryPolicy"] = map[string]any{"mode": "MPOL_BIND", "nodes": "1000"}
		},
			[]string{"memorypolicy: set_mempolicy", "1000", "invalid argument", "cpuset"}},
		{"no process", func(_ testing.TB, c map[string]any) { process(c)["args"] = []any{} }, []string{"process.args"}},
		{"a terminal without a socket", func(_ testing.TB, c map[string]any) { process(c)["terminal"] = true },
			[]string{"--console-socket"}},
		{"working directory relative", func(_ testing.TB, c map[string]any) { process(c)["cwd"] = "tmp" },
			[]string{"cwd", "tmp"}},
	}
}

func setNamespace(c map[string]any, kind, path string) {
	for _, n := range linux(c)["namespaces"].([]any) {
		if m := n.(map[string]any); m["type"] == kind {
			m["path"] = path
		}
	}
}

func addMount(c map[string]any, destination, kind, source string, options ...string) {
	all := make([]any, 0, len(options))
	for _, o := range options {
		all = append(all, o)
	}
	c["mounts"] = append(c["mounts"].([]any), map[string]any{"destination": destination, "type": kind, "source": source,
		"options": all})
}

func setHook(c map[string]any, kind string, timeout int, path string, args ...string) {
	hook := map[string]any{"path": path, "args": args}
	if timeout > 0 {
		hook["timeout"] = timeout
	}
	hooks, _ := c["hooks"].(map[string]any)
	if hooks == nil {
		hooks = map[string]any{}
		c["hooks"] = hooks
	}
	old, _ := hooks[kind].([]any)
	hooks[kind] = append(old, hook)
}

// TestBadConfigurations: each one gives a line that says what is wrong and where, and status 1, and leaves nothing
// behind. Leftovers would show in the root directory, or in the leak check that ends the package's tests.
func TestBadConfigurations(t *testing.T) {
	testenv.Root(t)
	rootfs := testenv.Busybox(t)
	for _, c := range badConfigs() {
		t.Run(c.name, func(t *testing.T) {
			r, id := newRuntime(t), testenv.ID(t)
			bundle := testenv.Bundle(t, rootfs, func(config map[string]any) { c.edit(t, config) })
			r.fails(c.words, "create", "--bundle", bundle, id)
			r.ok("delete", "--force", id)
		})
	}
}

func TestBadBundles(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.fails([]string{"/nonexistent", "no such file or directory"}, "create", "--bundle", "/nonexistent", id)
	dir := testenv.Dir(t)
	r.fails([]string{filepath.Join(dir, "config.json"), "no such file or directory"}, "create", "--bundle", dir, id)

	for _, c := range []struct{ name, text, words string }{
		{"a bare word", "{\n  \"ociVersion\": nope\n}\n", "2:18"},
		{"cut off", "{\n  \"ociVersion\": \"1.0.0\",\n", "config.json"},
		{"of the wrong type", "{\n  \"ociVersion\": \"1.0.0\",\n  \"process\": {\"args\": \"sh\"}\n}\n", "3:"},
		{"empty", "", "config.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			r.fails([]string{"config.json", c.words}, "create", "--bundle", dir, id)
		})
	}
}

func TestIllegalIDs(t *testing.T) {
	r := newRuntime(t)
	bundle := shell(t, "exit 0", nil)
	for _, id := range []string{"", ".", "..", "a/b", "../x", "a b", "a\nb", "ä", strings.Repeat("x", 2000)} {
		o := r.do("create", "--bundle", bundle, id)
		r.oneLine(o, []string{"id"})
	}
}

func TestBadCommandLines(t *testing.T) {
	r := newRuntime(t)
	for _, c := range []struct {
		args  string
		words []string
	}{
		{"bogus", []string{"bogus", "unknown command"}},
		{"create", []string{"create", "too few"}},
		{"state a b", []string{"state", "too many"}},
		{"run --bogus x", []string{"run", "--bogus"}},
		{"--log-format xml list", []string{"--log-format", "xml"}},
		{"--rootless maybe list", []string{"--rootless", "maybe"}},
		{"--systemd-cgroup --cgroup-manager cgroupfs list", []string{"--systemd-cgroup", "--cgroup-manager cgroupfs"}},
		{"--cgroup-manager nobody list", []string{"--cgroup-manager", "nobody"}},
		{"list --format yaml", []string{"--format", "yaml"}},
		{"kill x NOSUCH", []string{"NOSUCH"}},
		{"kill x 65", []string{"65"}},
		{"run --preserve-fds many x", []string{"preserve-fds", "many"}},
		{"--log /nonexistent/dir/log list", []string{"--log", "/nonexistent/dir/log", "no such file or directory"}},
	} {
		t.Run(c.args, func(t *testing.T) { r.fails(c.words, strings.Fields(c.args)...) })
	}
}

func TestLogFormats(t *testing.T) {
	r := newRuntime(t, "--log-format", "json")
	o := r.do("state", "nobody")
	var line map[string]string
	if err := json.Unmarshal([]byte(o.stderr), &line); err != nil {
		t.Fatalf("%v in %q", err, o.stderr)
	}
	if line["level"] != "error" || !strings.Contains(line["msg"], "container does not exist") || line["time"] == "" ||
		line["command"] != "state" || line["container"] != "nobody" || line["phase"] != "find the container" ||
		len(line) != 6 {
		t.Errorf("%v", line)
	}

	file := filepath.Join(testenv.Dir(t), "log")
	r = newRuntime(t, "--log-format=json", "--log", file)
	bundle := testenv.Bundle(t, testenv.Busybox(t), func(c map[string]any) { testenv.SetArgs(c, "/bin/nonexistent") })
	r.fails([]string{"handfast: ", "/bin/nonexistent"}, "run", "--bundle", bundle, testenv.ID(t))
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	if err := json.Unmarshal([]byte(all[len(all)-1]), &line); err != nil || line["level"] != "error" {
		t.Errorf("%v in %s", err, data)
	}
	contains(t, line["msg"], "/bin/nonexistent", "no such file or directory")
}

// TestExecErrorAtStart: a program that exists at create can be gone at start, and start reports it.
func TestExecErrorAtStart(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := testenv.Bundle(t, testenv.Busybox(t), func(c map[string]any) { testenv.SetArgs(c, "/payload") })
	payload := filepath.Join(rootOf(t, bundle), "payload")
	if err := os.WriteFile(payload, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.ok("create", "-b", bundle, id)
	r.fails([]string{"/payload", "no such file or directory"}, "start", id)
	r.awaitStatus(id, "stopped")
	r.fails([]string{"stopped"}, "start", id)
	r.ok("delete", id)
}

// TestBadOptions: options that fail undo the container like a bad configuration.
func TestBadOptions(t *testing.T) {
	r, bundle := newRuntime(t), shell(t, "exit 0", nil)
	for _, c := range []struct {
		args  []string
		words []string
	}{
		{[]string{"--pid-file", "/nonexistent/pid"}, []string{"--pid-file", "/nonexistent", "no such file or directory"}},
		{[]string{"--trace", "/nonexistent/trace"}, []string{"--trace", "/nonexistent/trace", "no such file or directory"}},
		{[]string{"--preserve-fds", "1"}, []string{"descriptor 3"}},
		{[]string{"--preserve-fds", "-1"}, []string{"--preserve-fds", "-1"}},
	} {
		t.Run(c.args[0], func(t *testing.T) {
			r.fails(c.words, append(append([]string{"create", "-b", bundle}, c.args...), testenv.ID(t))...)
		})
	}
}
