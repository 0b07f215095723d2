package sysmon_test

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sysmon"
	"github.com/handfast/handfast/internal/testenv"
)

func slack(t *testing.T, tid int) string {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/timerslack_ns")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// After Relax one thread has another timer slack, and it is not the process's first; what a thread forks after Forking
// has the one that the process was started with.
func TestRelax(t *testing.T) {
	testenv.Root(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := slack(t, unix.Gettid())
	threads, err := os.ReadDir("/proc/self/task") // those that come later may be the monitor's own
	if err != nil {
		t.Fatal(err)
	}
	sysmon.Relax()
	sysmon.Relax() // the second changes nothing
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
