package test

import (
	"os"
	"os/exec"
	goruntime "runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

func memoryLimit(bytes int) func(c map[string]any) {
	return func(c map[string]any) {
		linux(c)["namespaces"] = append(linux(c)["namespaces"].([]any), map[string]any{"type": "cgroup"})
		linux(c)["resources"] = map[string]any{"memory": map[string]any{"limit": bytes}, "pids": map[string]any{"limit": 20}}
		setHook(c, "createRuntime", 0, "/bin/true", "true")
	}
}

// TestSmallMemoryLimit: the memory that the child needs at its start does not count, so half a MiB is enough for a
// small program; and the container still sees its own group as the root.
func TestSmallMemoryLimit(t *testing.T) {
	r := newRuntime(t)
	bundle := shell(t, `while read line; do echo "$line"; done < /proc/self/cgroup`, memoryLimit(512<<10))
	for range 10 {
		if o := r.do("run", "-b", bundle, testenv.ID(t)); o.status != 0 || o.stderr != "" || !inRoot(o.stdout) {
			t.Fatalf("%+v", o)
		}
	}
	id := testenv.ID(t)
	r.ok("create", "-b", shell(t, "exit 0", memoryLimit(512<<10)), id)
	r.ok("start", id)
	r.awaitStatus(id, "stopped")
	r.ok("delete", id)
}

// TestExecUnderASmallMemoryLimit: the memory that a joining process needs at its start does not count either.
func TestExecUnderASmallMemoryLimit(t *testing.T) {
	r := newRuntime(t)
	id, _ := r.sleeper(memoryLimit(1 << 20))
	for range 5 {
		if got := r.inside(id, "echo in $(cat /proc/1/comm)"); got != "in sleep\n" {
			t.Errorf("%q", got)
		}
	}
}

// inRoot reports whether a cgroup file shows the root in every hierarchy.
func inRoot(cgroup string) bool {
	for line := range strings.Lines(cgroup) {
		if !strings.HasSuffix(line, ":/\n") {
			return false
		}
	}
	return cgroup != ""
}

// TestMemoryLimitInTheError (CG28): if a start fails because of the memory limit, the error says so.
func TestMemoryLimitInTheError(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.fails([]string{"possibly killed by the memory limit of 16384 bytes", "oom_kill"}, "run", "-b",
		shell(t, "exit 0", memoryLimit(16<<10)), id)
	r.ok("delete", "--force", id)
}

// noClone3 turns a re-executed test binary into another program, with a filter under which clone3(2) does not exist,
// like that of some container managers.
func noClone3() {
	if os.Getenv("HANDFAST_TEST_NO_CLONE3") == "" {
		return
	}
	goruntime.LockOSThread()
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_CLONE3, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err == nil {
		err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
	}
	if err == nil {
		err = syscall.Exec(os.Args[1], os.Args[1:], nil)
	}
	println(err.Error())
	os.Exit(70)
}

// TestWithoutClone3 (CG25): if the child cannot be cloned into its group, it joins before it gets any message, and the
// container sees the same.
func TestWithoutClone3(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.global = []string{"--debug", "--log", testenv.Dir(t) + "/log"}
	r.wrap = func(cmd *exec.Cmd) *exec.Cmd {
		out := exec.Command("/proc/self/exe", cmd.Args...)
		out.Env = []string{"HANDFAST_TEST_NO_CLONE3=1"}
		return out
	}
	bundle := shell(t, "cat /proc/self/cgroup", func(c map[string]any) {
		linux(c)["namespaces"] = append(linux(c)["namespaces"].([]any), map[string]any{"type": "cgroup"})
	})
	o := r.do("run", "-b", bundle, id)
	if o.status != 0 || o.stderr != "" {
		t.Fatalf("%+v", o)
	}
	if !inRoot(o.stdout) {
		t.Errorf("not in the group:\n%s", o.stdout)
	}
	running, _ := r.sleeper(func(c map[string]any) { testenv.MapIDs(c, hostIDs, 1000) })
	groups := r.do("exec", running, "cat", "/proc/1/cgroup", "/proc/self/cgroup")
	if half := len(groups.stdout) / 2; groups.status != 0 || half == 0 || groups.stdout[:half] != groups.stdout[half:] {
		t.Errorf("exec: %+v", groups)
	}
	r.ok("create", "-b", bundle, id) // the second attempt creates the start gate again
	r.ok("start", id)
	r.awaitStatus(id, "stopped")
	r.ok("delete", id)
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mounts), " - cgroup2 ") {
		return // v1 is inherited and needs no clone3
	}
	log, err := os.ReadFile(r.global[2])
	if err != nil || !strings.Contains(string(log), "joins its cgroup after the clone") {
		t.Errorf("the fallback was not needed: %v\n%s", err, log)
	}
}

// TestCgroupManagerDisabled (CG30): no group is created, limits are an error, and so are commands that need a group.
func TestCgroupManagerDisabled(t *testing.T) {
	r, id := newRuntime(t, "--cgroup-manager=disabled"), testenv.ID(t)
	bundle := shell(t, "sleep 1000", func(c map[string]any) {
		linux(c)["cgroupsPath"] = testenv.CgroupParent() + "/" +
			id
	})
	r.ok("run", "--detach", "-b", bundle, id)
	if found := groupsNamed(t, testenv.CgroupParent()+"/"+id); len(found) > 0 {
		t.Errorf("groups were made: %v", found)
	}
	pid := int(r.stateOf(id)["pid"].(float64))
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil || string(own) != string(theirs) {
		t.Errorf("%v: the container is not in the groups of its creator:\n%s", err, theirs)
	}
	r.fails([]string{"no cgroup of its own"}, "pause", id)
	r.fails([]string{"no cgroup of its own"}, "ps", id)
	r.ok("delete", "--force", id)
	r.fails([]string{"linux.resources", "disabled"}, "run", "-b", shell(t, "exit 0", memoryLimit(64<<20)), testenv.ID(t))
	r.global = []string{"--cgroup-manager=other"}
	r.fails([]string{"--cgroup-manager", "other", "cgroupfs, systemd or disabled"}, "list")
}
