package spawn

import (
	"os/exec"
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
	if p, err := Adopt(cmd.Process.Pid); err == nil {
		_ = p.Release()
		t.Error("a process that was reaped is adopted")
	}
}
