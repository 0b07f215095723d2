package test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

func TestRunEndsWithTheStatusOfTheProcess(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         int
	}{
		{"zero", "exit 0", 0},
		{"seven", "exit 7", 7},
		{"two hundred and fifty-five", "exit 255", 255},
		{"a signal of its child", "sh -c 'kill -9 $$'; exit $?", 137},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRuntime(t)
			o := r.do("run", "--bundle", shell(t, c.script, nil), testenv.ID(t))
			if o.status != c.want || o.stdout != "" {
				t.Errorf("status %d, want %d; stdout %q, stderr %q", o.status, c.want, o.stdout, o.stderr)
			}
		})
	}
}

func TestRunPassesStreams(t *testing.T) {
	r := newRuntime(t)
	cmd := r.command("run", "-b", shell(t, "cat; echo err >&2", nil), testenv.ID(t))
	cmd.Stdin = strings.NewReader("hello\n")
	if o := finish(t, cmd); o.stdout != "hello\n" || o.stderr != "err\n" || o.status != 0 {
		t.Errorf("%+v", o)
	}
}

func TestWhatTheContainerSees(t *testing.T) {
	r := newRuntime(t)
	bundle := shell(t, "echo $$ $(hostname) $(id -u):$(id -g) $(pwd); ls /proc/self/fd | wc -w; cat /proc/net/dev | "+
		"grep -c :; grep CapBnd /proc/self/status; umask; echo $HOME", nil)
	o := r.do("run", "-b", bundle, testenv.ID(t))
	// ls has its own directory open, so four descriptors are right. CapBnd: kill, net_bind_service, audit_write.
	want := "1 handfast-test 0:0 /\n4\n1\nCapBnd:\t0000000020000420\n0022\n/root\n"
	if o.stdout != want || o.stderr != "" || o.status != 0 {
		t.Errorf("got %q\nwant %q\nstderr %q status %d", o.stdout, want, o.stderr, o.status)
	}
}

func TestLifecycle(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, "trap 'exit 0' TERM; touch /tmp/started; while :; do sleep 0.02; done", func(c map[string]any) {
		c["annotations"] = map[string]any{"org.example.key": "value"}
	})
	pidFile := filepath.Join(testenv.Dir(t), "pid")
	r.ok("create", "--bundle", bundle, "--pid-file", pidFile, id)

	state := r.stateOf(id)
	pid := int(state["pid"].(float64))
	if state["status"] != "created" || state["id"] != id || state["bundle"] != bundle || state["ociVersion"] == "" ||
		pid < 2 {
		t.Errorf("state after create: %v", state)
	}
	if a, _ := state["annotations"].(map[string]any); a["org.example.key"] != "value" {
		t.Errorf("annotations: %v", state["annotations"])
	}
	if data, err := os.ReadFile(pidFile); err != nil || string(data) != strconv.Itoa(pid) {
		t.Errorf("pid file: %q, %v; want %d", data, err, pid)
	}
	rootfs := rootOf(t, bundle)
	if _, err := os.Stat(filepath.Join(rootfs, "tmp/started")); err == nil {
		t.Error("the process ran before start")
	}
	r.fails([]string{id}, "create", "--bundle", bundle, id) // a second one with the same name

	r.ok("start", id)
	eventually(t, "the process runs",
		func() bool { _, err := os.Stat(filepath.Join(rootfs, "tmp/started")); return err == nil })
	if s := r.stateOf(id)["status"]; s != "running" {
		t.Errorf("status after start: %v", s)
	}
	r.fails([]string{"cannot start an already running container"}, "start", id)
	r.fails([]string{"not stopped"}, "delete", id)

	listed(t, r, id, "running", pid, bundle)
	r.ok("kill", id, "TERM")
	r.awaitStatus(id, "stopped")
	if _, found := r.stateOf(id)["pid"]; found && r.stateOf(id)["pid"].(float64) != 0 {
		t.Error("a stopped container has a pid")
	}
	r.fails([]string{"container not running"}, "kill", id, "9")
	r.ok("delete", id)
	r.fails([]string{"does not exist"}, "delete", id)
	r.fails([]string{"container does not exist"}, "kill", id)
	r.fails([]string{"container does not exist"}, "state", id)
	r.ok("delete", "--force", id)
}

func listed(t *testing.T, r *runtime, id, status string, pid int, bundle string) {
	t.Helper()
	contains(t, r.do("list").stdout, "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER", id, status, strconv.Itoa(pid),
		bundle, "root")
	if o := r.do("list", "-q"); o.stdout != id+"\n" {
		t.Errorf("list -q: %q", o.stdout)
	}
	var all []map[string]any
	o := r.do("list", "--format=json")
	if err := json.Unmarshal([]byte(o.stdout), &all); err != nil || len(all) != 1 || all[0]["id"] != id ||
		all[0]["owner"] != "root" {
		t.Errorf("list --format=json: %s (%v)", o.stdout, err)
	}
}

func TestDeleteForce(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, "sleep 1000 & sleep 1000", nil)
	r.ok("create", "-b", bundle, id)
	r.ok("delete", "--force", id)
	r.ok("delete", "--force", id)

	r.ok("run", "--detach", "-b", bundle, id)
	if s := r.stateOf(id)["status"]; s != "running" {
		t.Errorf("status: %v", s)
	}
	r.ok("delete", "-f", id)
	r.ok("delete", "-f", id)
}

func TestDeleteOfACreatedContainer(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("create", "-b", shell(t, "exit 0", nil), id)
	r.ok("delete", id)
}

// TestDeleteForceWithAnEmptyEnvironment calls delete like Podman: without PATH, and with an empty runtime directory.
func TestDeleteForceWithAnEmptyEnvironment(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("create", "-b", shell(t, "exit 0", nil), id)
	for range 2 {
		cmd := r.command("delete", "--force", id)
		cmd.Env = []string{"XDG_RUNTIME_DIR="}
		if o := finish(t, cmd); o != (outcome{}) {
			t.Errorf("%+v", o)
		}
	}
}

func TestRunKeep(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	if o := r.do("run", "--keep", "-b", shell(t, "exit 3", nil), id); o.status != 3 {
		t.Errorf("%+v", o)
	}
	if s := r.stateOf(id)["status"]; s != "stopped" {
		t.Errorf("status: %v", s)
	}
	r.ok("delete", id)
}

func TestSignalsAreForwarded(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, "trap 'echo got usr1' USR1; trap 'exit 42' TERM; echo ready; while :; do sleep 0.02; done", nil)
	cmd := r.command("run", "-b", bundle, id)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	lines := newLines(out)
	lines.want(t, "ready")
	_ = cmd.Process.Signal(sigUSR1)
	lines.want(t, "got usr1")
	_ = cmd.Process.Signal(sigTERM)
	_ = cmd.Wait()
	if s := cmd.ProcessState.ExitCode(); s != 42 {
		t.Errorf("status %d, want 42", s)
	}
}

// TestNohup: if the caller ignores SIGHUP, the container survives it too.
func TestNohup(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, "trap 'exit 1' HUP; trap 'exit 0' TERM; echo ready; while :; do sleep 0.02; done", nil)
	run := r.command("run", "-b", bundle, id)
	cmd := exec.Command("sh", append([]string{"-c", `trap '' HUP; exec "$@"`, "sh"}, run.Args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	newLines(out).want(t, "ready")
	for _, s := range []os.Signal{syscall.SIGHUP, sigTERM} {
		_ = cmd.Process.Signal(s)
	}
	_ = cmd.Wait()
	if s := cmd.ProcessState.ExitCode(); s != 0 {
		t.Errorf("status %d, want 0", s)
	}
}

func TestRunEndedBySignal(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	cmd := r.command("run", "-b", shell(t, "sleep 1000", nil), id)
	start(t, cmd)
	eventually(t, "running", func() bool { return strings.Contains(r.do("state", id).stdout, `"running"`) })
	r.ok("kill", id, "KILL")
	_ = cmd.Wait()
	if s := cmd.ProcessState.ExitCode(); s != 128+9 {
		t.Errorf("status %d, want 137", s)
	}
}

func TestPreservedDescriptors(t *testing.T) {
	r := newRuntime(t)
	f, err := os.Create(filepath.Join(testenv.Dir(t), "extra"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	script := "echo through >&3; test -e /proc/self/fd/4 && echo leaked; exit 0"
	cmd := r.command("run", "--preserve-fds", "1", "-b", shell(t, script, nil), testenv.ID(t))
	cmd.ExtraFiles = []*os.File{f, f} // the second must not arrive
	if o := finish(t, cmd); o != (outcome{}) {
		t.Errorf("%+v", o)
	}
	if data, _ := os.ReadFile(f.Name()); string(data) != "through\n" {
		t.Errorf("descriptor 3: %q", data)
	}
}

func TestTrace(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	trace := filepath.Join(testenv.Dir(t), "trace")
	r.ok("create", "--trace", trace, "-b", shell(t, "exit 0", nil), id)
	shown := r.do("trace", "--format", "json", trace)
	contains(t, shown.stdout, `"kind":"HELLO"`, `"kind":"CONFIG"`, `"dir":"parent>child"`, `"dir":"child>parent"`,
		`"name":"ready"`, `"args":"[3 values of`)
	r.ok("start", "--trace", trace, id)
	contains(t, r.do("trace", trace).stdout, "EXEC", "success")
	r.awaitStatus(id, "stopped")
	r.ok("delete", id)
}

func TestSpec(t *testing.T) {
	r, dir := newRuntime(t), testenv.Dir(t)
	r.ok("spec", "--bundle", dir)
	var c map[string]any
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil || c["ociVersion"] == "" {
		t.Errorf("%v in %s", err, data)
	}
	r.fails([]string{"config.json", "exists"}, "spec", "-b", dir)
	// --file, as of crun: from the bundle, unless it is absolute.
	for _, file := range []string{"other.json", filepath.Join(testenv.Dir(t), "absolute.json")} {
		r.ok("spec", "-b", dir, "-f", file)
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		if other, err := os.ReadFile(file); err != nil || !bytes.Equal(other, data) {
			t.Errorf("%s: %v, %s", file, err, other)
		}
		r.fails([]string{file, "exists"}, "spec", "-b", dir, "--file", file)
	}
}

// TestSpecRuns starts a container from what the command spec writes, with the terminal turned off.
func TestSpecRuns(t *testing.T) {
	r, dir := newRuntime(t), testenv.Dir(t)
	r.ok("spec", "--bundle", dir)
	if err := os.Rename(testenv.Busybox(t), filepath.Join(dir, "rootfs")); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, func(c map[string]any) {
		process(c)["terminal"] = false
		testenv.SetArgs(c, "echo", "hello")
	})
	if o := r.do("run", "-b", dir, testenv.ID(t)); o != (outcome{stdout: "hello\n"}) {
		t.Errorf("%+v", o)
	}
}

// TestListOfNoDirectory: a named directory that does not exist is an error; a missing default directory means that
// there are no containers.
func TestListOfNoDirectory(t *testing.T) {
	r := newRuntime(t)
	r.fails([]string{"--root " + r.root, "no such file or directory"}, "list")
	cmd := exec.Command(r.binary, "list", "--quiet")
	cmd.Env = []string{"XDG_RUNTIME_DIR=" + testenv.Dir(t)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: hostIDs, Gid: hostIDs}}
	if o := finish(t, cmd); o != (outcome{}) {
		t.Errorf("%+v", o)
	}
}

// TestEmptyCgroupsPath: an empty path counts as none, as with runc.
func TestEmptyCgroupsPath(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("create", "-b", shell(t, "exit 0", func(c map[string]any) { linux(c)["cgroupsPath"] = "" }), id)
	if len(groupsNamed(t, "handfast/"+id)) == 0 {
		t.Error("there is no group")
	}
	r.ok("delete", id)
}

// TestStartBehindCreate: a start before the end of create waits for it.
func TestStartBehindCreate(t *testing.T) {
	r, id, dir := newRuntime(t), testenv.ID(t), testenv.Dir(t)
	bundle := shell(t, "exit 0", func(c map[string]any) {
		setHook(c, "createRuntime", 0, "/bin/sh", "sh", "-c", "touch "+dir+"/begun; sleep 0.2")
	})
	cmd := r.command("create", "-b", bundle, id)
	start(t, cmd)
	eventually(t, "the hook runs", func() bool { _, err := os.Stat(dir + "/begun"); return err == nil })
	r.ok("start", id)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	r.awaitStatus(id, "stopped")
	r.ok("delete", id)
}
