package spawn

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// A zero Process is no process: above all it is not any other child of the caller's, which wait4(2) takes 0 for.
func TestZeroProcess(t *testing.T) {
	other := exec.Command("true")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Waitid(unix.P_PID, other.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	var p Process
	if status, err := p.Wait(t.Context()); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("Wait: %v, %v", status, err)
	}
	if err := other.Wait(); err != nil {
		t.Errorf("the other child: %v", err)
	}
	if err := p.Signal(unix.SIGKILL); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("Signal: %v", err)
	}
	if err := p.Release(); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("Release: %v", err)
	}
}

// A zero Pool is one that is closed, and a zero StartError has a text.
func TestZeroPool(t *testing.T) {
	var p Pool
	_, err := p.Start(t.Context(), Config{})
	for name, err := range map[string]error{"Start": err, "Fill": p.Fill(t.Context()), "Close": p.Close()} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := OpenGate(t.Context(), Gate{}); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("a zero Gate: %v", err)
	}
	if err := (&StartError{}); err.Error() == "" || errors.Is(err, unix.EIO) {
		t.Errorf("%q", err.Error())
	}
}
