package lifecycle

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/testenv"
)

// TestKillWhileCreating: a container that is being made, and has no process yet, is killed once it has one, or the
// command says what became of it.
func TestKillWhileCreating(t *testing.T) {
	for name, c := range map[string]struct {
		then func(t *testing.T, dir *state.Dir, s *state.State)
		want error
	}{
		"it gets a process": {func(t *testing.T, dir *state.Dir, s *state.State) {
			if err := dir.Save(s); err != nil {
				t.Error(err)
			}
		}, nil},
		"it fails": {func(t *testing.T, dir *state.Dir, _ *state.State) {
			if err := dir.Remove(); err != nil {
				t.Error(err)
			}
		}, state.ErrNotExist},
		"its command is killed": {func(t *testing.T, dir *state.Dir, _ *state.State) {
			if err := dir.Close(); err != nil {
				t.Error(err)
			}
		}, ErrNotRunning},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Runtime{Root: testenv.Dir(t)}
			child := exec.Command("sleep", "1000")
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			defer child.Wait()
			defer child.Process.Kill()
			started, _, err := state.ProcessStart(child.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			s := &state.State{ID: "c", Creating: true}
			dir, err := r.store().Create(s)
			if err != nil {
				t.Fatal(err)
			}
			defer dir.Close()
			killed := make(chan error, 1)
			go func() { killed <- r.Kill("c", unix.SIGKILL, false) }()
			time.Sleep(20 * time.Millisecond) // a Kill that did not wait would have returned by now
			s.PID, s.StartTime = child.Process.Pid, started
			c.then(t, dir, s)
			if err := <-killed; !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if c.want != nil {
				return
			}
			var failed *exec.ExitError
			if err := child.Wait(); !errors.As(err, &failed) ||
				failed.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
				t.Errorf("its process ended with %v, want a SIGKILL", err)
			}
		})
	}
}
