package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// sleeper starts a container whose first process does nothing.
func (r *runtime) sleeper(mutate func(c map[string]any)) (id, bundle string) {
	r.t.Helper()
	id, bundle = testenv.ID(r.t), shell(r.t, "exec sleep 1000", mutate)
	r.ok("run", "--detach", "-b", bundle, id)
	r.t.Cleanup(func() { r.ok("delete", "--force", id) })
	return id, bundle
}

// inside runs a shell script in a container and returns its output.
func (r *runtime) inside(id, script string, options ...string) string {
	r.t.Helper()
	o := r.do(append(append([]string{"exec"}, options...), id, "/bin/sh", "-c", script)...)
	if o.status != 0 || o.stderr != "" {
		r.t.Errorf("exec %v %q: status %d, stderr %q", options, script, o.status, o.stderr)
	}
	return o.stdout
}

// notStarted runs an exec that cannot start its process: it must end with status 255 and one line with these words.
func (r *runtime) notStarted(words []string, args ...string) {
	r.t.Helper()
	o := r.do(append([]string{"exec"}, args...)...)
	if o.status != 255 {
		r.t.Errorf("exec %v: status %d, want 255", args, o.status)
	}
	o.status, o.stderr = 1, strings.ReplaceAll(o.stderr, `\"`, `"`) // as in the log line
	r.oneLine(o, words)
}

func TestExec(t *testing.T) {
	r := newRuntime(t)
	id, bundle := r.sleeper(func(c map[string]any) {
		process(c)["noNewPrivileges"] = false
		process(c)["user"] = map[string]any{"uid": 0, "gid": 3, "additionalGids": []any{4}}
		process(c)["env"] = append(process(c)["env"].([]any), "FROM=config")
		process(c)["cwd"] = "/tmp"
	})
	// Changes of the bundle have no effect.
	if err := os.Remove(filepath.Join(bundle, "config.json")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		script  string
		options []string
		want    string
	}{
		{"pwd; id; echo $FROM $HOME; umask", nil, "/tmp\nuid=0(root) gid=3 groups=4\nconfig /root\n0022\n"},
		{"pwd; echo $FROM-$NEW", []string{"--cwd", "/etc", "--env", "FROM=us", "-e", "NEW=a b"}, "/etc\nus-a b\n"},
		{"id", []string{"-u", "7"}, "uid=7 gid=3 groups=4\n"},
		{"id; echo $HOME", []string{"--user", "65534:8", "-g", "9", "--additional-gids", "10"},
			"uid=65534(nobody) gid=8 groups=4,9,10\n/\n"},
		{"grep NoNewPrivs /proc/self/status", nil, "NoNewPrivs:\t0\n"},
		{"grep NoNewPrivs /proc/self/status", []string{"--no-new-privs"}, "NoNewPrivs:\t1\n"},
		// AUDIT_WRITE 29, KILL 5, NET_BIND_SERVICE 10; NET_RAW 13. None is ever inheritable (CVE-2022-29162).
		{"grep Cap /proc/self/status", nil,
			"CapInh:\t0000000000000000\nCapPrm:\t0000000020000420\n" +
				"CapEff:\t0000000020000420\nCapBnd:\t0000000020000420\nCapAmb:\t0000000000000000\n"},
		{"grep Cap /proc/self/status", []string{"--cap", "CAP_NET_RAW"},
			"CapInh:\t0000000000000000\nCapPrm:\t0000000020002420\n" +
				"CapEff:\t0000000020002420\nCapBnd:\t0000000020002420\nCapAmb:\t0000000000000000\n"},
		{"hostname; echo $$ | wc -l; cat /proc/1/comm", nil, "handfast-test\n1\nsleep\n"},
	} {
		if got := r.inside(id, c.script, c.options...); got != c.want {
			t.Errorf("%v %q:\n%q, want\n%q", c.options, c.script, got, c.want)
		}
	}
	if o := r.do("exec", id, "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 42"); o != (outcome{"out\n", "err\n",
		42}) {
		t.Errorf("%+v", o)
	}
	if o := r.do("exec", id, "/bin/sh", "-c", "kill -9 $$"); o.status != 128+9 {
		t.Errorf("ended by a signal: %+v", o)
	}
}

// TestExecIsWhereTheContainerIs: the process is in the same namespaces and groups as the first process, and in none of
// its parent's.
func TestExecIsWhereTheContainerIs(t *testing.T) {
	r := newRuntime(t)
	id, _ := r.sleeper(nil)
	script := "for n in pid mnt net ipc uts cgroup user; do readlink /proc/$1/ns/$n; done; cat /proc/$1/cgroup; cat " +
		"/proc/$1/oom_score_adj"
	mine := r.do("exec", id, "/bin/sh", "-c", script, "sh", "self").stdout
	theirs := r.do("exec", id, "/bin/sh", "-c", script, "sh", "1").stdout
	if mine != theirs || strings.Count(mine, "[") != 7 {
		t.Errorf("%s\nthe first process:\n%s", mine, theirs)
	}
}

func TestExecCannotStart(t *testing.T) {
	r := newRuntime(t)
	id, bundle := r.sleeper(nil)
	dir := testenv.Dir(t)
	for name, text := range map[string]string{"broken": "{", "empty": "{}", "wrong": `{"args":["x"],"cwd":"relative"}`,
		"refused": `{"args":["x"],"cwd":"/","scheduler":{"policy":"SCHED_NONE"}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(rootOf(t, bundle), "bin/plain"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(rootOf(t, bundle), "bin/noexec"), []byte{0x7f, 'E', 'L', 'F'},
		0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		words []string
		args  []string
	}{
		{[]string{`exec: "nothing": executable file not found in $PATH`}, []string{id, "nothing"}},
		{[]string{`exec: "plain": executable file not found in $PATH`}, []string{id, "plain"}},
		{[]string{`exec: "busybox": cannot run executable found relative to current directory`},
			[]string{"-e", "PATH=:/x", "--cwd", "/bin", id, "busybox"}},
		{[]string{`"/bin/nothing"`, "no such file or directory"}, []string{id, "/bin/nothing"}},
		{[]string{`"/bin/plain"`, "permission denied"}, []string{id, "/bin/plain"}},
		{[]string{`"/bin"`, "is a directory"}, []string{id, "/bin"}},
		{[]string{"exec /bin/noexec: exec format error"}, []string{id, "/bin/noexec"}},
		{[]string{"chdir /nowhere: no such file or directory"}, []string{"--cwd", "/nowhere", id, "true"}},
		{[]string{"there is no command"}, []string{id}},
		{[]string{"both a command and --process"}, []string{"--process", filepath.Join(dir, "empty"), id, "true"}},
		{[]string{"--process: open " + filepath.Join(dir, "none") + ": no such file or directory"},
			[]string{"--process", filepath.Join(dir, "none"), id}},
		{[]string{"broken:1:2: "}, []string{"-p", filepath.Join(dir, "broken"), id}},
		{[]string{"empty: process.args: missing"}, []string{"-p", filepath.Join(dir, "empty"), id}},
		{[]string{`wrong: process.cwd: "relative" is not absolute`}, []string{"-p", filepath.Join(dir, "wrong"), id}},
		{[]string{"refused: process.scheduler.policy: invalid scheduler policy \"SCHED_NONE\""},
			[]string{"-p", filepath.Join(dir, "refused"), id}},
		{[]string{`--user: user "root"`, "want uid or uid:gid"}, []string{"--user", "root", id, "true"}},
		{[]string{`--additional-gids: "-1" is not a number`}, []string{"-g", "-1", id, "true"}},
		{[]string{`env[1]: "=x"; want NAME=value`}, []string{"--env", "=x", id, "true"}},
		{[]string{`"lock": AppArmor is not in force on this host`}, []string{"--apparmor", "lock", id, "true"}},
		{[]string{`"a:b:c": SELinux is not in force on this host`}, []string{"--process-label", "a:b:c", id, "true"}},
		{[]string{"preserve descriptor 3: it is not open in the caller, or has FD_CLOEXEC: bad file descriptor"},
			[]string{"--preserve-fds", "1", id, "true"}},
		{[]string{"--preserve-fds -1: want a number"}, []string{"--preserve-fds", "-1", id, "true"}},
		{[]string{"--cgroup", `".." is not the name of a group`}, []string{"--cgroup", "../other", id, "true"}},
		{[]string{"--cgroup", "no such file or directory"}, []string{"--cgroup", "nothing", id, "true"}},
		{[]string{"nobody stays to show it: use --console-socket"}, []string{"--tty", "--detach", id, "true"}},
		{[]string{"--console-socket", "connect " + dir + "/none.sock: no such file or directory"},
			[]string{"--tty", "--detach", "--console-socket", dir + "/none.sock", id, "true"}},
		{[]string{"--pidfd-socket: connect " + dir + "/none.sock: no such file or directory"},
			[]string{"--pidfd-socket", dir + "/none.sock", id, "true"}},
		{[]string{"--pid-file: ", dir + "/none/"}, []string{"--pid-file", dir + "/none/pid", id, "true"}},
		{[]string{"container nobody: ", "does not exist"}, []string{"nobody", "true"}},
	} {
		if c.words[0] == `"lock": AppArmor is not in force on this host` && inForce("apparmor") ||
			strings.Contains(c.words[0], "SELinux") && inForce("selinux") {
			continue // then the label itself is used, which another test covers
		}
		r.notStarted(c.words, c.args...)
	}
	if pids := r.pids(id); len(pids) != 1 {
		t.Errorf("left in the container: %v", pids)
	}
}

func inForce(module string) bool {
	data, _ := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	if module == "apparmor" {
		return strings.HasPrefix(string(data), "Y")
	}
	entries, _ := os.ReadDir("/sys/fs/selinux")
	return len(entries) > 0
}

// TestExecNeedsARunningContainer: a container that is being created, has ended or is paused is an error that names its
// state; a created one is not.
func TestExecNeedsARunningContainer(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, "exit 0", nil)
	r.ok("create", "-b", bundle, id)
	if got := r.inside(id, "echo in a created one"); got != "in a created one\n" {
		t.Errorf("%q", got)
	}
	r.ok("start", id)
	r.awaitStatus(id, "stopped")
	r.notStarted([]string{"container " + id + ": cannot exec in a stopped container"}, id, "true")
	r.ok("delete", id)

	// The hook keeps the container in the state creating.
	release := filepath.Join(testenv.Dir(t), "release")
	edit(t, bundle, func(c map[string]any) {
		setHook(c, "createRuntime", 0, "/bin/sh", "sh", "-c", "while ! test -e "+release+"; do sleep 0.01; done")
	})
	creating := r.command("create", "-b", bundle, id)
	start(t, creating)
	eventually(t, "creating", func() bool { o := r.do("state", id); return strings.Contains(o.stdout, `"creating"`) })
	r.notStarted([]string{"cannot exec in container " + id + ": it is creating"}, id, "true")
	if err := os.WriteFile(release, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := creating.Wait(); err != nil {
		t.Error(err)
	}
	r.ok("delete", "--force", id)

	other, _ := r.sleeper(nil)
	r.ok("pause", other)
	r.notStarted([]string{"cannot exec in a paused container (resume " + other, "--ignore-paused"}, other, "true")
	waiting := r.command("exec", "--ignore-paused", other, "/bin/sh", "-c", "exit 9")
	start(t, waiting)
	time.Sleep(100 * time.Millisecond) // it may not be in its group yet, but it must not have ended
	if unix.Kill(waiting.Process.Pid, 0) != nil {
		t.Error("exec in a paused container did not wait")
	}
	r.ok("resume", other)
	if _ = waiting.Wait(); waiting.ProcessState.ExitCode() != 9 {
		t.Errorf("after resume: %v", waiting.ProcessState)
	}
}

func TestExecDetached(t *testing.T) {
	r := newRuntime(t)
	id, _ := r.sleeper(nil)
	file := filepath.Join(testenv.Dir(t), "pid")
	socket := filepath.Join(testenv.Dir(t), "pidfd.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan *os.File, 1)
	go func() { got <- receive(t, l) }()
	r.ok("exec", "--detach", "--pid-file", file, "--pidfd-socket", socket, id, "sleep", "1000")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(data))
	if err != nil || !isSleep(pid) || !slices.Contains(r.pids(id), pid) {
		t.Errorf("the pid file says %q: %v, of %v", data, err, r.pids(id))
	}
	pidfd := <-got
	if pidfd == nil || pidfd.Name() != "setns" {
		t.Fatalf("the descriptor of the process: %v", pidfd)
	}
	defer pidfd.Close()
	if err := unix.PidfdSendSignal(int(pidfd.Fd()), unix.SIGKILL, nil, 0); err != nil {
		t.Error(err)
	}
	awaitEnd(t, []int{pid})
}

// TestExecProcessFile takes process files as container managers write them.
func TestExecProcessFile(t *testing.T) {
	r := newRuntime(t)
	id, _ := r.sleeper(nil)
	p := map[string]any{
		"user": map[string]any{"uid": 5, "gid": 6, "additionalGids": []any{6, 7}, "umask": 0o77},
		"args": []any{"sh", "-c", "id; umask; ulimit -n; echo $X; exit 4"},
		"env":  []any{"PATH=/bin", "X=y"}, "cwd": "/", "rlimits": []any{map[string]any{"type": "RLIMIT_NOFILE", "soft": 100,
			"hard": 200}},
		"capabilities": map[string]any{"bounding": []any{"CAP_KILL"}}, "noNewPrivileges": true, "terminal": false,
		"apparmorProfile": "",
	}
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(testenv.Dir(t), "process.json")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	want := outcome{"uid=5 gid=6 groups=6,7\n0077\n100\ny\n", "", 4}
	if o := r.do("exec", "--process", file, id); o != want {
		t.Errorf("%+v", o)
	}
	cmd := r.command("exec", "--process", "-", id)
	cmd.Stdin = strings.NewReader(string(data))
	if o := finish(t, cmd); o != want {
		t.Errorf("from standard input: %+v", o)
	}
}

// TestTwoHundredExecs at once do not disturb each other, and leave nothing.
func TestTwoHundredExecs(t *testing.T) {
	r := newRuntime(t)
	id, _ := r.sleeper(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	bad := map[string]int{}
	n := 200
	if testenv.Virtual() {
		n = 20 // ten times as long for the deadlines
	}
	for i := range n {
		wg.Go(func() {
			cmd := r.command("exec", id, "/bin/sh", "-c", fmt.Sprintf("echo %d; exit %d", i, i%100+1))
			out, err := cmd.Output()
			if string(out) != fmt.Sprintln(i) || cmd.ProcessState.ExitCode() != i%100+1 {
				mu.Lock()
				defer mu.Unlock()
				text := err.Error()
				if e, ok := err.(*exec.ExitError); ok {
					text += " " + string(e.Stderr)
				}
				bad[text]++
			}
		})
	}
	wg.Wait()
	if len(bad) > 0 {
		t.Errorf("%v", bad)
	}
	if pids := r.pids(id); len(pids) != 1 {
		t.Errorf("left in the container: %v", pids)
	}
	entries, err := os.ReadDir(filepath.Join(r.root, id))
	if err != nil || len(entries) != 2 || entries[0].Name() != "state.json" || entries[1].Name() != "state.json.next" {
		t.Errorf("left in the state directory: %v %v", entries, err)
	}
}

func TestExecInUserNamespace(t *testing.T) {
	r := newRuntime(t)
	id, _ := r.sleeper(func(c map[string]any) { testenv.MapIDs(c, hostIDs, 1000) })
	if got := strings.Join(strings.Fields(r.inside(id,
		"id; cat /proc/self/uid_map; touch /tmp/made; stat -c %u /tmp/made")), " "); got != "uid=0(root) gid=0(root) 0 "+
		"300000 1000 0" {
		t.Errorf("%q", got)
	}
	if got := r.inside(id, "id", "-u", "5:6", "-g", "7"); got != "uid=5 gid=6 groups=7\n" {
		t.Errorf("%q", got)
	}
	for _, args := range [][]string{{"-u", "1000"}, {"-u", "0:1000"}, {"-g", "4000000"}} {
		r.notStarted([]string{args[1][strings.LastIndexByte(args[1], ':')+1:] + " is not mapped"},
			append(args, id, "true")...)
	}
}

// TestExecWithoutMountNamespace: the container's root is a directory of the host's own mounts.
func TestExecWithoutMountNamespace(t *testing.T) {
	r := newRuntime(t)
	id, _ := r.sleeper(func(c map[string]any) {
		removeNamespace(c, "mount")
		delete(c, "mounts")
		delete(linux(c), "maskedPaths")
		delete(linux(c), "readonlyPaths")
	})
	if got := r.inside(id, "ls -d /bin/busybox /proc/1 2>&1; pwd"); got != "ls: /proc/1: No such file or "+
		"directory\n/bin/busybox\n/\n" {
		t.Errorf("%q", got)
	}
}

func TestExecCgroup(t *testing.T) {
	r := newRuntime(t)
	id, bundle := r.sleeper(nil)
	var group string
	edit(t, bundle, func(c map[string]any) { group = linux(c)["cgroupsPath"].(string) })
	name := filepath.Base(group)
	var made []string
	for _, parent := range groupsNamed(t, group) {
		for _, sub := range []string{filepath.Join(parent, "inner"), parent + "2"} {
			if err := os.Mkdir(sub, 0o755); err != nil {
				t.Fatal(err)
			}
			made = append(made, sub)
		}
	}
	t.Cleanup(func() {
		for _, m := range made {
			// A process that has ended keeps its group busy until it is reaped.
			eventually(t, "the end of "+m, func() bool { err := os.Remove(m); return err == nil || os.IsNotExist(err) })
		}
	})
	// A cpuset group of v1 accepts no process before it has cpus and memory nodes.
	for _, m := range made {
		for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
			if data, err := os.ReadFile(filepath.Join(filepath.Dir(m), f)); err == nil && strings.HasSuffix(m, "inner") {
				_ = os.WriteFile(filepath.Join(m, f), data, 0o644)
			}
		}
	}
	pid := filepath.Join(testenv.Dir(t), "pid")
	r.ok("exec", "--detach", "--pid-file", pid, "--cgroup", "inner", id, "sleep", "1000")
	n, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("/proc/" + string(n) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if !strings.HasSuffix(line, group+"/inner\n") && (line != "0::/\n" || hasV2(t)) {
			t.Errorf("not in the group below: %q", line)
		}
	}
	// The sibling whose name begins with the container's is not below it.
	r.notStarted([]string{"--cgroup"}, "--cgroup", "../"+name+"2", id, "true")
	r.notStarted([]string{"--cgroup", "no such file"}, "--cgroup", name+"2", id, "true")
	p, _ := strconv.Atoi(string(n))
	if err := unix.Kill(p, unix.SIGKILL); err != nil {
		t.Error(err)
	}
	awaitEnd(t, []int{p})
}

// TestExecForwardsSignals: signals to exec in the foreground reach the process.
func TestExecForwardsSignals(t *testing.T) {
	r := newRuntime(t)
	id, _ := r.sleeper(nil)
	cmd := r.command("exec", id, "/bin/sh", "-c", "trap 'echo got USR1' USR1; trap 'echo got TERM; exit 3' TERM; echo "+
		"ready; while :; do sleep 0.05; done")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	l := newLines(out)
	l.want(t, "ready")
	_ = cmd.Process.Signal(sigUSR1)
	l.want(t, "got USR1")
	_ = cmd.Process.Signal(sigTERM)
	l.want(t, "got TERM")
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("%v", cmd.ProcessState)
	}
}

func TestExecTerminal(t *testing.T) {
	r := newRuntime(t)
	id, _ := r.sleeper(nil)
	user, terminal := openPTY(t, 24, 80)
	before := mode(t, terminal)
	cmd := r.command("exec", "-t", "-e", "PS1=prompt: ", id, "/bin/sh", "-i")
	onTerminal(cmd, terminal)
	start(t, cmd)
	screen := newLines(user)
	for _, c := range [][2]string{{"echo size=$(stty size)", "size=24 80"},
		{"test -t 0 && test -t 1 && test -t 2 && echo a-$(tty)", "a-/dev/pts/"}, {"ps -o tty,comm | grep 'sh$'", "sh"}} {
		_, _ = io.WriteString(user, c[0]+"\n")
		screen.want(t, c[1])
	}
	_, _ = io.WriteString(user, "exit 5\n")
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 5 {
		t.Errorf("%v", cmd.ProcessState)
	}
	if diff := cmp.Diff(before, mode(t, terminal)); diff != "" {
		t.Errorf("the terminal's mode was not restored: %s", diff)
	}
}
