package cgroupfs_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A child of a thread that entered, cloned into the v2 group, begins its life in every hierarchy of the group, and the
// caller's process stays where it was.
func TestEnterAndCloneInto(t *testing.T) {
	g := create(t, "enter")
	if !g.Inherited() && g.FD() < 0 {
		t.Fatal("the group is nowhere")
	}
	cmd := exec.Command("/bin/cat", "/proc/self/cgroup")
	if fd := g.FD(); fd >= 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}
	}
	var out []byte
	done := make(chan error, 1)
	go throwaway(func() {
		err := g.Enter()
		if err == nil {
			out, err = cmd.Output()
		}
		done <- err
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.HasSuffix(strings.TrimSpace(line), ":"+g.Path()) {
			t.Errorf("the child began elsewhere: %s", line)
		}
	}
	own, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", os.Getpid()))
	if err != nil || strings.Contains(string(own), g.Path()) {
		t.Errorf("this process was moved: %v\n%s", err, own)
	}
}

// throwaway runs f on a thread that ends with it, which the process's first thread cannot.
func throwaway(f func()) {
	runtime.LockOSThread() // and not unlocked: the runtime ends the thread
	if syscall.Gettid() != syscall.Getpid() {
		f()
		return
	}
	done := make(chan struct{})
	go throwaway(func() {
		defer close(done)
		f()
	})
	<-done
	runtime.UnlockOSThread()
}
