package spawn

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAdopt holds, ends and reaps a child that Start has not made.
func TestAdopt(t *testing.T) {
	cmd := exec.Command("sleep", "inf")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := Adopt(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if p.PID() != cmd.Process.Pid {
		t.Errorf("it is process %d, want %d", p.PID(), cmd.Process.Pid)
	}
	if err := p.Signal(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	status, err := p.Wait(t.Context())
	if err != nil || status.Signal() != unix.SIGTERM {
		t.Errorf("it ended with %v, %v", status, err)
	}
	if err := p.Release(); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Release(); err != nil {
		t.Error(err)
	}
	for pid, want := range map[int]error{
		cmd.Process.Pid: unix.ESRCH, // it was reaped
		os.Getppid():    unix.ECHILD, os.Getpid(): unix.ECHILD, 0: unix.EINVAL, -1: unix.EINVAL,
	} {
		if p, err := Adopt(pid); err == nil {
			_ = p.Release()
			t.Errorf("process %d is adopted", pid)
		} else if !errors.Is(err, want) || !strings.Contains(err.Error(), strconv.Itoa(pid)) {
			t.Errorf("process %d: %v, want %v", pid, err, want)
		}
	}
}

// TestAdoptEnded adopts a child that has ended and was not reaped, for its status.
func TestAdoptEnded(t *testing.T) {
	cmd := exec.Command("sh", "-c", "exit 7")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	p, err := Adopt(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := p.Wait(t.Context()); err != nil || status.ExitStatus() != 7 {
		t.Errorf("it ended with %v, %v", status, err)
	}
	if err := errors.Join(p.Release(), cmd.Process.Release()); err != nil {
		t.Error(err)
	}
}
