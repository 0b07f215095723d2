package test

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// inheriting is a role of the test binary: it executes its arguments with signals ignored and blocked, and bound to one
// processor, like a caller under nohup(1), in a shell's background, or under taskset(1).
func inheriting() {
	if os.Getenv("HANDFAST_TEST_INHERITED") == "" {
		return
	}
	goruntime.LockOSThread()
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1, unix.SIGTSTP, unix.SIGPIPE, unix.Signal(40))
	var mask unix.Sigset_t
	for i := range mask.Val {
		mask.Val[i] = ^mask.Val[i]
	}
	err := unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
	var first unix.CPUSet
	if first.Set(firstProcessor()); err == nil {
		err = unix.SchedSetaffinity(0, &first)
	}
	if err == nil {
		err = syscall.Exec(os.Args[1], os.Args[1:], []string{"PATH=" + os.Getenv("PATH")})
	}
	println(err.Error())
	os.Exit(70)
}

func firstProcessor() (n int) {
	var all unix.CPUSet
	if unix.SchedGetaffinity(0, &all) == nil {
		for !all.IsSet(n) && n < 1023 {
			n++
		}
	}
	return n
}

// TestNothingInheritedFromTheCaller: whatever signals the caller ignores or blocks, and whatever processors it is bound
// to, the container, its hooks and processes that join it start with the defaults.
func TestNothingInheritedFromTheCaller(t *testing.T) {
	r := newRuntime(t)
	r.wrap = func(cmd *exec.Cmd) *exec.Cmd {
		out := exec.Command("/proc/self/exe", cmd.Args...)
		out.Env = []string{"HANDFAST_TEST_INHERITED=1", "PATH=" + os.Getenv("PATH")}
		return out
	}
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	check := func(what, status string) {
		t.Helper()
		found := 0
		for line := range strings.Lines(status) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
			switch name {
			case "SigBlk", "SigIgn":
				if found++; strings.Trim(value, "0") != "" {
					t.Errorf("%s begins with %s %s", what, name, value)
				}
			case "Cpus_allowed_list":
				if found++; all.Count() > 1 && !strings.ContainsAny(value, ",-") {
					t.Errorf("%s may run on processor %s alone, of %d", what, value, all.Count())
				}
			}
		}
		if found != 3 {
			t.Errorf("%s: %q", what, status)
		}
	}
	for name, user := range map[string]bool{"without": false, "with": true} {
		dir := testenv.Dir(t)
		bundle := testenv.Bundle(t, testenv.Busybox(t), func(c map[string]any) {
			testenv.SetArgs(c, "/bin/cat", "/proc/self/status")
			if user {
				testenv.MapIDs(c, hostIDs, 65536)
			} else {
				setHook(c, "createContainer", 5, "/bin/sh", "sh", "-c", "exec cat /proc/self/status >"+filepath.Join(dir, "hook"))
			}
		})
		o := r.do("run", "-b", bundle, testenv.ID(t))
		check("the program "+name+" a user namespace", o.stdout+o.stderr)
		if user {
			continue
		}
		hook, err := os.ReadFile(filepath.Join(dir, "hook"))
		if err != nil {
			t.Fatal(err)
		}
		check("a hook", string(hook))
	}
	id, _ := r.sleeper(nil)
	o := r.do("exec", id, "/bin/cat", "/proc/self/status")
	check("exec", o.stdout+o.stderr)
	waiting := testenv.ID(t)
	bundle := testenv.Bundle(t, testenv.Busybox(t), func(c map[string]any) { testenv.SetArgs(c, "/bin/sleep", "1000") })
	r.ok("create", "-b", bundle, waiting)
	r.ok("start", waiting)
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(int(r.stateOf(waiting)["pid"].(float64))), "status"))
	if err != nil {
		t.Fatal(err)
	}
	check("a started container", string(status))
	r.ok("delete", "--force", waiting)
}
