package test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// wordCase is a command that fails, or warns, with words of runc's for which tools and people look.
type wordCase struct {
	name  string
	edit  func(t *testing.T, c map[string]any)
	words []string
}

// startWords returns the cases of a start.
func startWords() []wordCase {
	return []wordCase{
		{"a program that is not in PATH", func(_ *testing.T, c map[string]any) { testenv.SetArgs(c, "nonexistent") },
			[]string{`exec: \"nonexistent\": executable file not found in $PATH`}},
		{"a program that is missing", func(_ *testing.T, c map[string]any) { testenv.SetArgs(c, "/nonexistent") },
			[]string{`exec: \"/nonexistent\": stat /nonexistent: no such file or directory`}},
		{"a program that is a directory", func(_ *testing.T, c map[string]any) { testenv.SetArgs(c, "/tmp") },
			[]string{"/tmp", "is a directory"}},
		{"a program that may not be executed", func(_ *testing.T, c map[string]any) { testenv.SetArgs(c, "/etc/passwd") },
			[]string{"/etc/passwd", "permission denied"}},
		{"an interpreter that is missing", func(t *testing.T, c map[string]any) {
			testenv.SetArgs(c, "/run.sh")
			script(t, c, "/run.sh", "#!/mmnnttbb foo bar\nsh\n")
		}, []string{"exec /run.sh: no such file or directory: its interpreter /mmnnttbb does not exist"}},
		{"a loader that is missing", func(t *testing.T, c map[string]any) {
			testenv.SetArgs(c, "/dynamic")
			loaderless(t, c, "/dynamic")
		}, []string{"exec /dynamic: no such file or directory: its loader /lib/none.so does not exist"}},
		{"an interpreter that is missing, under a filter that forbids to look", func(t *testing.T, c map[string]any) {
			testenv.SetArgs(c, "/run.sh")
			script(t, c, "/run.sh", "#!/mmnnttbb foo bar\nsh\n")
			linux(c)["seccomp"] = profile("SCMP_ACT_ALLOW",
				rule("SCMP_ACT_KILL_PROCESS", -1, "open", "openat", "openat2", "stat", "newfstatat", "statx", "pread64"))
		}, []string{"exec /run.sh: no such file or directory: its interpreter /mmnnttbb does not exist"}},
		{"a hook whose interpreter is missing", func(t *testing.T, c map[string]any) {
			script(t, c, "/run.sh", "#!/mmnnttbb\n")
			setHook(c, "createRuntime", 0, filepath.Join(c["root"].(map[string]any)["path"].(string), "run.sh"), "run.sh")
		}, []string{"error running createRuntime hook #0", "no such file or directory: its interpreter /mmnnttbb"}},
		{"a createContainer hook whose interpreter is missing", func(t *testing.T, c map[string]any) {
			script(t, c, "/run.sh", "#!/mmnnttbb\n")
			setHook(c, "createContainer", 0, filepath.Join(c["root"].(map[string]any)["path"].(string), "run.sh"), "run.sh")
		}, []string{"error running createContainer hook #0", "no such file or directory: its interpreter /mmnnttbb"}},
		{"a startContainer hook whose interpreter is missing", func(t *testing.T, c map[string]any) {
			script(t, c, "/run.sh", "#!/mmnnttbb\n")
			setHook(c, "startContainer", 0, "/run.sh", "run.sh")
		}, []string{"error running startContainer hook #0", "no such file or directory: its interpreter /mmnnttbb"}},
		{"a startContainer hook without an interpreter, under a filter", func(t *testing.T, c map[string]any) {
			script(t, c, "/run.sh", "#!/mmnnttbb\n")
			linux(c)["seccomp"] = profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_ERRNO", 1, "open", "openat", "openat2"))
			setHook(c, "startContainer", 0, "/run.sh", "run.sh")
		}, []string{"error running startContainer hook #0", "/run.sh", "no such file or directory"}},
		{"the second createRuntime hook", twoHooks("createRuntime"),
			[]string{"error running createRuntime hook #1: /bin/false"}},
		{"the second prestart hook", twoHooks("prestart"), []string{"error running prestart hook #1: /bin/false"}},
		{"the second createContainer hook", twoHooks("createContainer"),
			[]string{"error running createContainer hook #1: /bin/false"}},
		{"the second startContainer hook", twoHooks("startContainer"),
			[]string{"error running startContainer hook #1: /bin/false"}},
		{"the second poststart hook", twoHooks("poststart"), []string{"error running poststart hook #1: /bin/false"}},
		{"a startContainer hook that the filter kills", func(_ *testing.T, c map[string]any) {
			linux(c)["seccomp"] = profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_KILL_PROCESS", -1, "mkdir", "mkdirat"))
			setHook(c, "startContainer", 0, "/bin/mkdir", "mkdir", "/tmp/x")
		}, []string{"error running startContainer hook #0", "bad system call"}},
		{"a deadline in a cpuset of one processor", func(t *testing.T, c map[string]any) {
			if goruntime.NumCPU() < 2 {
				t.Skip("needs two processors")
			}
			linux(c)["resources"] = map[string]any{"cpu": map[string]any{"cpus": "0"}}
			process(c)["scheduler"] = map[string]any{"policy": "SCHED_DEADLINE", "runtime": 42000, "deadline": 1000000,
				"period": 1000000}
		}, []string{"process scheduler can't be used together with AllowedCPUs"}},
		{"proc on a link", func(t *testing.T, c map[string]any) {
			root := c["root"].(map[string]any)["path"].(string)
			if err := os.RemoveAll(filepath.Join(root, "proc")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("/tmp", filepath.Join(root, "proc")); err != nil {
				t.Fatal(err)
			}
		}, []string{"must be mounted on ordinary directory"}},
		{"a group with a process", func(t *testing.T, c map[string]any) {
			group := ownGroup(t)
			linux(c)["cgroupsPath"] = group.name
			group.fill(t)
		}, []string{"container's cgroup is not empty"}},
		{"a group that is frozen", func(t *testing.T, c map[string]any) {
			group := ownGroup(t)
			linux(c)["cgroupsPath"] = group.name
			group.freeze(t)
		}, []string{"container's cgroup unexpectedly frozen"}},
		{"an agent that is not there", func(_ *testing.T, c map[string]any) {
			p := profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_NOTIFY", -1, "chmod"))
			p["listenerPath"] = "/nonexistent/agent"
			linux(c)["seccomp"] = p
		}, []string{"failed to connect with seccomp agent", "/nonexistent/agent", "no such file or directory"}},
		{"an agent for the runtime's own calls", func(_ *testing.T, c map[string]any) {
			p := profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_NOTIFY", -1, "write"))
			p["listenerPath"] = "/nonexistent/agent"
			linux(c)["seccomp"] = p
		}, []string{"SCMP_ACT_NOTIFY cannot be used for the write syscall"}},
	}
}

// strange is a control group that does not belong to the runtime, in the hierarchy with the freezer.
type strange struct{ name, path, file, frozen, thawed string }

func ownGroup(t *testing.T) *strange {
	t.Helper()
	g := &strange{name: testenv.CgroupParent() + "/" + testenv.ID(t), file: "cgroup.freeze", frozen: "1", thawed: "0"}
	g.path = "/sys/fs/cgroup" + g.name
	if isDir("/sys/fs/cgroup/freezer") {
		g.path, g.file, g.frozen, g.thawed = "/sys/fs/cgroup/freezer"+g.name, "freezer.state", "FROZEN", "THAWED"
	}
	must(t, os.MkdirAll(g.path, 0o755))
	t.Cleanup(func() { eventually(t, "the group is gone", func() bool { return os.Remove(g.path) == nil }) })
	return g
}

// fill keeps a process in the group until the test ends.
func (g *strange) fill(t *testing.T) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	start(t, cmd)
	must(t, os.WriteFile(filepath.Join(g.path, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0))
}

// freeze freezes the group until the test ends.
func (g *strange) freeze(t *testing.T) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(g.path, g.file), []byte(g.frozen), 0))
	t.Cleanup(func() { must(t, os.WriteFile(filepath.Join(g.path, g.file), []byte(g.thawed), 0)) })
}

// controllerOfV1 reports whether a controller is one of cgroup v1 on this host.
func controllerOfV1(name string) bool { return isDir("/sys/fs/cgroup/" + name) }

func twoHooks(kind string) func(*testing.T, map[string]any) {
	return func(t *testing.T, c map[string]any) {
		setHook(c, kind, 0, "/bin/true", "true")
		setHook(c, kind, 0, "/bin/false", "false")
	}
}

func script(t *testing.T, c map[string]any, path, text string) {
	t.Helper()
	root := c["root"].(map[string]any)["path"].(string)
	if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// loaderless writes an ELF file whose loader is /lib/none.so.
func loaderless(t *testing.T, c map[string]any, path string) {
	t.Helper()
	data, err := os.ReadFile("/bin/ls")
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("/lib64/ld-linux-x86-64.so.2\x00"))
	if at < 0 {
		at = bytes.Index(data, []byte("/lib/ld-linux-aarch64.so.1\x00"))
	}
	if at < 0 {
		t.Fatal("/bin/ls names no loader that this test knows")
	}
	copy(data[at:], "/lib/none.so\x00")
	script(t, c, path, string(data))
}

// TestWordsOfAStart: every container is undone, and its error contains runc's words.
func TestWordsOfAStart(t *testing.T) {
	testenv.Root(t)
	for _, c := range startWords() {
		t.Run(c.name, func(t *testing.T) {
			r, id := newRuntime(t), testenv.ID(t)
			bundle := testenv.Bundle(t, testenv.Busybox(t), func(config map[string]any) { c.edit(t, config) })
			r.fails(c.words, "run", "--bundle", bundle, id)
			r.fails([]string{"container does not exist"}, "state", id)
		})
	}
}

// TestWordsOfUnified: a file that only v2 has is an invalid configuration if its controller is one of v1.
func TestWordsOfUnified(t *testing.T) {
	if !controllerOfV1("memory") {
		t.Skip("needs the controller memory in cgroup v1")
	}
	r := newRuntime(t)
	bundle := shell(t, "true", func(c map[string]any) {
		linux(c)["resources"] = map[string]any{"unified": map[string]any{"memory.min": "131072"}}
	})
	r.fails([]string{"invalid configuration", "memory.min"}, "run", "--bundle", bundle, testenv.ID(t))
}

// TestWordsOfCapabilities: an ambient capability that is not inheritable is a warning, and the others are set.
func TestWordsOfCapabilities(t *testing.T) {
	r := newRuntime(t)
	bundle := shell(t, "grep CapAmb /proc/self/status", func(c map[string]any) {
		caps := process(c)["capabilities"].(map[string]any)
		caps["inheritable"] = []any{"CAP_KILL"}
		caps["ambient"] = []any{"CAP_KILL", "CAP_CHOWN"}
	})
	o := r.do("run", "--bundle", bundle, testenv.ID(t))
	if o.status != 0 || o.stdout != "CapAmb:\t0000000000000020\n" {
		t.Errorf("%+v", o)
	}
	contains(t, o.stderr, "level=warning", "can't raise ambient capability CAP_CHOWN: ")
}

// TestWordsOfCommands tests the errors of commands on a running, a paused and a stopped container.
func TestWordsOfCommands(t *testing.T) {
	r := newRuntime(t)
	id, _ := r.sleeper(nil)
	exec := func(words []string, args ...string) {
		t.Helper()
		o := r.do(append([]string{"exec"}, args...)...)
		if o.status != 255 {
			t.Errorf("exec %q: %+v", args, o)
		}
		contains(t, o.stderr, words...)
	}
	exec([]string{"bad sub cgroup path"}, "--cgroup", "..", id, "true")
	exec([]string{"bad sub cgroup path"}, "--cgroup", "../sibling", id, "true")
	exec([]string{"error adding pid ", "o such file or directory"}, "--cgroup", "nonexistent", id, "true")
	if controllerOfV1("cpu") {
		exec([]string{"bad sub cgroup path"}, "--cgroup", "cpu:../sibling", id, "true")
		exec([]string{"error adding pid ", "o such file or directory"}, "--cgroup", "cpu:nonexistent", id, "true")
		exec([]string{"unknown controller "}, "--cgroup", "whaaat:/", id, "true")
	}
	script(t, map[string]any{"root": map[string]any{"path": r.stateOf(id)["rootfs"]}}, "/run.sh", "#!/mmnnttbb foo bar\n")
	exec([]string{"exec /run.sh: no such file or directory"}, id, "/run.sh")
	exec([]string{`exec: \"nonexistent\": executable file not found in $PATH`}, id, "nonexistent")

	r.fails([]string{"cannot start an already running container"}, "start", id)
	r.fails([]string{"container not paused"}, "resume", id)
	r.fails([]string{"invalid container ID format"}, "state", "a/b")
	r.fails([]string{"cannot delete container " + id + " that is not stopped: running"}, "delete", id)

	r.ok("pause", id)
	r.fails([]string{"cannot start a container in the paused state"}, "start", id)
	exec([]string{"cannot exec in a paused container"}, id, "true")
	r.ok("resume", id)
	r.ok("kill", id, "KILL")
	r.awaitStatus(id, "stopped")
	r.fails([]string{"container not running"}, "kill", id)
	r.fails([]string{"cannot start a container that has stopped"}, "start", id)
	exec([]string{"cannot exec in a stopped container"}, id, "true")
	r.fails([]string{"container not running"}, "pause", id)
	r.fails([]string{"container not paused"}, "resume", id)
	r.fails([]string{"container not running"}, "update", "--pids-limit", "9", id)
	r.fails([]string{"container with id " + id + " is not running"}, "events", "--stats", id)
	r.ok("delete", id)
	r.fails([]string{"container does not exist"}, "delete", id)
	r.fails([]string{"No help topic for 'foo'"}, "foo", "-h")
}

// TestHelpLines: in the first two lines of every help, tools find the program and the command.
func TestHelpLines(t *testing.T) {
	r := newRuntime(t)
	for _, command := range []string{
		"create", "delete", "events", "exec", "kill", "list", "pause", "ps", "resume", "run", "spec", "start", "state",
		"update",
		"features",
	} {
		for _, option := range []string{"-h", "--help"} {
			o := r.do(command, option)
			if o.status != 0 || !strings.HasPrefix(o.stdout, "NAME:\n   handfast "+command+" - ") {
				t.Errorf("%s %s: %+v", command, option, o)
			}
		}
	}
}

// TestVersionLines: managers read the version in the first line, and look for the beginnings of the others.
func TestVersionLines(t *testing.T) {
	o := newRuntime(t).do("--version")
	lines := strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")
	if len(lines) != 4 || o.status != 0 {
		t.Fatalf("%+v", o)
	}
	for i, begin := range []string{"handfast version ", "commit: ", "spec: 1.", "go: go"} {
		if !strings.HasPrefix(lines[i], begin) || lines[i] == begin {
			t.Errorf("line %d is %q; want it to begin with %q", i, lines[i], begin)
		}
	}
}

// TestDebugWords: --debug shows the steps of a start, and how this program is protected from the container meanwhile.
// With a log file they only go there.
func TestDebugWords(t *testing.T) {
	words := []string{
		"level=debug", "nsexec container setup", "child process in init()", "init: closing the pipe to signal completion",
		"runc exeseal: using /proc/self/exe clone",
	}
	bundle := shell(t, "echo Hello", nil)
	o := newRuntime(t, "--debug").do("run", "--bundle", bundle, testenv.ID(t))
	if o.stdout != "Hello\n" || o.status != 0 {
		t.Errorf("%+v", o)
	}
	contains(t, o.stderr, words...)

	log := filepath.Join(testenv.Dir(t), "log")
	o = newRuntime(t, "--debug", "--log", log, "--log-format", "json").do("run", "--bundle", bundle, testenv.ID(t))
	if o.stderr != "" || o.status != 0 {
		t.Errorf("%+v", o)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	words[0] = `"level":"debug"`
	contains(t, string(data), words...)
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("run", "--detach", "--bundle", shell(t, "exec sleep 1000", nil), id)
	defer r.ok("delete", "--force", id)
	process := filepath.Join(testenv.Dir(t), "process.json")
	spec := `{"args": ["/bin/true"], "cwd": "/", "execCPUAffinity": {"initial": "0"}}`
	if err := os.WriteFile(process, []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	o = r.do("--debug", "exec", "--process", process, id)
	contains(t, o.stderr, "nsexec container setup", "nsexec: affinity: 0x1", "child process in init()",
		"setns_init: about to exec")
	if o := newRuntime(t).do("run", "--bundle", bundle, testenv.ID(t)); o.stderr != "" {
		t.Errorf("without --debug: %q", o.stderr)
	}
}
