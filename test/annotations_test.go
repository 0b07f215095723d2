package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// annotate returns a mutation that adds an annotation of the runtime's own to a configuration.
func annotate(name string, value any) func(c map[string]any) {
	return func(c map[string]any) {
		text, isText := value.(string)
		if !isText {
			data, _ := json.Marshal(value)
			text = string(data)
		}
		all, _ := c["annotations"].(map[string]any)
		if all == nil {
			all = map[string]any{}
			c["annotations"] = all
		}
		all["io.github.handfast."+name] = text
	}
}

// refusedAnnotation runs a container with an annotation that must be an error with these words.
func (r *runtime) refusedAnnotation(words []string, name string, value any) {
	r.t.Helper()
	r.fails(words, "run", "-b", shell(r.t, "true", annotate(name, value)), testenv.ID(r.t))
}

// landlockABI returns the version of Landlock on this host, 0 for none.
func landlockABI() int {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(abi)
}

// TestLandlock (LS04): the container's program, and a process that joins, cannot do what the annotation forbids, as
// root or not, in a user namespace or not; they can do what it allows.
func TestLandlock(t *testing.T) {
	r := newRuntime(t)
	rules := map[string]any{
		"ruleset": map[string]any{"handledAccessFS": []string{"write_file", "make_reg", "make_dir"}},
		"rules": map[string]any{"pathBeneath": []any{
			map[string]any{"allowedAccess": []string{"write_file", "make_reg"}, "paths": []string{"/tmp", "/dev/null"}},
		}},
	}
	if landlockABI() == 0 {
		r.refusedAnnotation([]string{"annotations.io.github.handfast.landlock", "not in force"}, "landlock", rules)
		return
	}
	// the file modes would allow everything
	const try = "for f in /tmp/a /open/b /dev/null; do echo x >$f && echo wrote $f; done 2>/dev/null; " +
		"mkdir /tmp/d 2>/dev/null || echo no directory"
	const want = "wrote /tmp/a\nwrote /dev/null\nno directory\n"
	for _, user := range []string{"root", "nobody", "mapped"} {
		edit := func(c map[string]any) {
			annotate("landlock", rules)(c)
			addMount(c, "/tmp", "tmpfs", "tmpfs", "mode=1777")
			addMount(c, "/open", "tmpfs", "tmpfs", "mode=1777")
			switch user {
			case "nobody":
				process(c)["user"] = map[string]any{"uid": 65534, "gid": 65534}
				process(c)["noNewPrivileges"] = false
				process(c)["capabilities"] = map[string]any{}
			case "mapped":
				testenv.MapIDs(c, hostIDs, 65536)
			}
		}
		mapped := func(bundle string) string { // in a user namespace the runtime may not create any in the image
			if err := os.Mkdir(filepath.Join(rootOf(t, bundle), "open"), 0o755); err != nil {
				t.Fatal(err)
			}
			return bundle
		}
		if o := r.do("run", "-b", mapped(shell(t, try, edit)), testenv.ID(t)); o != (outcome{stdout: want}) {
			t.Errorf("%s: %+v", user, o)
		}
		id := testenv.ID(t)
		r.ok("run", "--detach", "-b", mapped(shell(t, "exec sleep 1000", edit)), id)
		if got := r.inside(id, try); got != want {
			t.Errorf("%s: exec: %q", user, got)
		}
		r.ok("delete", "--force", id)
	}
	missing := map[string]any{
		"ruleset": map[string]any{"handledAccessFS": []string{"execute"}},
		"rules": map[string]any{"pathBeneath": []any{
			map[string]any{"allowedAccess": []string{"execute"}, "paths": []string{"/nothing"}},
		}},
	}
	r.refusedAnnotation([]string{"landlock: open /nothing: no such file or directory"}, "landlock", missing)
	missing["rules"] = map[string]any{}
	r.refusedAnnotation([]string{"exec /bin/sh: permission denied"}, "landlock", missing)
}

// TestLandlockOfPortsAndSignals: a port that is not allowed cannot be bound, and a process that joins has a scope of
// its own.
func TestLandlockOfPortsAndSignals(t *testing.T) {
	r := newRuntime(t)
	rules := map[string]any{
		"ruleset": map[string]any{"handledAccessNet": []string{"bind_tcp"}, "scoped": []string{"signal"}},
		"rules": map[string]any{"netPort": []any{
			map[string]any{"allowedAccess": []string{"bind_tcp"}, "ports": []int{82}},
		}},
		"disableBestEffort": true,
	}
	if abi := landlockABI(); abi < 6 {
		r.refusedAnnotation([]string{"annotations.io.github.handfast.landlock"}, "landlock", rules)
		return
	}
	id, _ := r.sleeper(annotate("landlock", rules))
	o := r.do("exec", id, "/bin/sh", "-c", "nc -l -p 81 </dev/null; kill -0 1 || echo no signal")
	if n := strings.Count(o.stderr, "ermi"); n != 2 || o.stdout != "no signal\n" {
		t.Errorf("a port that is not allowed, and a signal: %+v", o)
	}
	// The allowed port can be bound, and accepts a connection.
	const serve = "nc -l -p 82 -e /bin/echo served & until nc 127.0.0.1 82 </dev/null; do :; done 2>/dev/null"
	if got := r.inside(id, serve); got != "served\n" {
		t.Errorf("%q", got)
	}
}

// supervising is a role of the test binary: a subreaper that runs its commands one after another, and stays until it is
// killed.
func supervising() {
	if os.Getenv("HANDFAST_TEST_SUPERVISE") == "" {
		return
	}
	err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	for args := range strings.SplitSeq(os.Getenv("HANDFAST_TEST_SUPERVISE"), "\n") {
		cmd := exec.Command(os.Args[1], strings.Split(args, "\t")...)
		cmd.Stderr = os.Stderr
		if err == nil {
			err = cmd.Run()
		}
	}
	if err != nil {
		println(err.Error())
		os.Exit(70)
	}
	println("ready")
	for {
		_ = unix.Pause()
	}
}

// TestParentDeathSignal (LS07): the container's first process gets the signal when "run" ends, whatever its user is.
// After "create" it gets it when its new parent ends.
func TestParentDeathSignal(t *testing.T) {
	r := newRuntime(t)
	for _, uid := range []int{0, 1000} {
		id := testenv.ID(t)
		bundle := shell(t, "while :; do sleep 1; done", func(c map[string]any) {
			annotate("parent-death-signal", "KILL")(c)
			process(c)["user"] = map[string]any{"uid": uid, "gid": uid}
		})
		cmd := r.command("run", "-b", bundle, id)
		start(t, cmd)
		eventually(t, "the container runs", func() bool {
			return r.do("state", id).status == 0 && r.stateOf(id)["status"] == "running"
		})
		pid := int(r.stateOf(id)["pid"].(float64))
		// The signal is set right before the execution.
		eventually(t, "the program is executed", func() bool {
			name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
			return string(name) == "sh\n"
		})
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		eventually(t, "the container has ended", func() bool { return ended(pid) })
		r.ok("delete", "--force", id)
	}
	id := testenv.ID(t)
	bundle := shell(t, "trap 'exit 0' TERM; while :; do sleep 1; done", annotate("parent-death-signal", "15"))
	commands := [][]string{{"--root", r.root, "create", "-b", bundle, id}, {"--root", r.root, "start", id}}
	lists := make([]string, 0, len(commands))
	for _, c := range commands {
		lists = append(lists, strings.Join(c, "\t"))
	}
	cmd := exec.Command("/proc/self/exe", r.binary)
	cmd.Env = []string{"HANDFAST_TEST_SUPERVISE=" + strings.Join(lists, "\n"), "PATH=" + os.Getenv("PATH")}
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	newLines(out).want(t, "ready")
	pid := int(r.stateOf(id)["pid"].(float64))
	if ended(pid) {
		t.Error("the signal came when create ended, not its new parent")
	}
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	eventually(t, "the created container has ended", func() bool { return ended(pid) })
	r.ok("delete", "--force", id)
}

// coreSchedCookie returns a process's cookie of core scheduling, 0 for none.
func coreSchedCookie(pid int) (c uint64, err error) {
	_, _, errno := unix.Syscall6(unix.SYS_PRCTL, unix.PR_SCHED_CORE, unix.PR_SCHED_CORE_GET, uintptr(pid),
		unix.PR_SCHED_CORE_SCOPE_THREAD, uintptr(unsafe.Pointer(&c)), 0)
	if errno != 0 {
		return 0, errno
	}
	return c, nil
}

// TestCoreScheduling (LS05): a container's processes have one cookie, which no other process has; a machine with one
// thread per core needs none; and a kernel without core scheduling is an error.
func TestCoreScheduling(t *testing.T) {
	r := newRuntime(t)
	edit := annotate("core-scheduling", "true")
	_, err := coreSchedCookie(os.Getpid())
	if err == unix.EINVAL {
		r.refusedAnnotation([]string{"annotations.io.github.handfast.core-scheduling", "PR_SCHED_CORE_CREATE",
			"invalid argument", "CONFIG_SCHED_CORE"}, "core-scheduling", "true")
		return
	}
	id, pid := r.sleeping(edit)
	joined := r.joining(id)
	if err == unix.ENODEV {
		return // both are there
	}
	_, other := r.sleeping(edit)
	_, plain := r.sleeping(nil)
	var got [4]uint64
	for i, pid := range []int{pid, joined, other, plain} {
		if got[i], err = coreSchedCookie(pid); err != nil {
			t.Fatal(err)
		}
	}
	if got[0] == 0 || got[1] != got[0] || got[2] == got[0] || got[2] == 0 || got[3] != 0 {
		t.Errorf("the cookies of a container, of what joins it, of another and of one without: %x", got)
	}
}
