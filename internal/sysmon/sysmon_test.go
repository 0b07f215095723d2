package sysmon_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sysmon"
	"github.com/handfast/handfast/internal/testenv"
)

// childVariable makes the test binary a child that prints its own timer slack after Relax.
const childVariable = "HANDFAST_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	sysmon.Relax()
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	_, left := os.LookupEnv(sysmon.Variable)
	fmt.Println(slack, err, left)
}

// TestRelaxInAChild: a child that was created by a thread with another slack gets the one that its parent passes;
// without a valid number it keeps its own.
func TestRelaxInAChild(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(before), 0, 0, 0) }()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, sysmon.Slack, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	kept := fmt.Sprintln(sysmon.Slack, nil, false)
	for told, want := range map[string]string{"54321": "54321 <nil> false\n", "x": kept, "0": kept} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{childVariable + "=1", sysmon.Variable + "=" + told}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("told %q: %q, %v, want %q", told, out, err, want)
		}
	}
}

func slack(t *testing.T, tid int) string {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/timerslack_ns")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// TestRelax: after Relax one thread has another timer slack, and it is not the process's first; a process that a thread
// creates after Forking has the slack with which this process was started.
func TestRelax(t *testing.T) {
	testenv.Root(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := slack(t, unix.Gettid())
	threads, err := os.ReadDir("/proc/self/task") // later ones may be created by the monitor
	if err != nil {
		t.Fatal(err)
	}
	if env := sysmon.Env(); env != nil {
		t.Errorf("before Relax a child is told %q", env)
	}
	sysmon.Relax()
	sysmon.Relax() // the second call changes nothing
	if env := sysmon.Env(); len(env) != 1 || env[0] != sysmon.Variable+"="+before {
		t.Errorf("a child is told %q, this process was started with %s ns", env, before)
	}
	want, relaxed := strconv.Itoa(sysmon.Slack), 0
	for _, e := range threads {
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if slack(t, tid) != want {
			continue
		}
		if relaxed++; tid == os.Getpid() {
			t.Error("it is the first thread that wakes late")
		}
	}
	if relaxed != 1 {
		t.Errorf("%d threads of %d have the monitor's slack", relaxed, len(threads))
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, sysmon.Slack, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer sysmon.Forking()()
	if got := slack(t, unix.Gettid()); got != before {
		t.Errorf("a thread that forks has a slack of %s ns, the process was started with %s", got, before)
	}
}
