package test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/handfast/handfast/internal/testenv"
)

// counting is a script that appends to a file forever.
const counting = "while :; do echo >> /tmp/count; sleep 0.01; done"

// progress returns a function that returns how far a counting container has got.
func progress(t testing.TB, bundle string) func() int64 {
	t.Helper()
	path := filepath.Join(rootOf(t, bundle), "tmp/count")
	return func() int64 {
		st, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return st.Size()
	}
}

// views runs a test with the two versions of control groups that this host can show.
func views(t *testing.T, do func(t *testing.T, r *runtime)) {
	t.Run("host", func(t *testing.T) { do(t, newRuntime(t)) })
	t.Run("v2", func(t *testing.T) {
		testenv.Tool(t, "unshare", "util-linux")
		r := newRuntime(t)
		r.wrap = inV2
		do(t, r)
	})
}

// TestPauseAndResume (PA01, LC06): a paused container makes no progress and has that status, and a resumed one
// continues.
func TestPauseAndResume(t *testing.T) {
	views(t, func(t *testing.T, r *runtime) {
		id, bundle := testenv.ID(t), shell(t, counting, nil)
		count := progress(t, bundle)
		r.ok("run", "--detach", "-b", bundle, id)
		eventually(t, "the container counts", func() bool { return count() > 0 })
		r.fails([]string{"cannot resume", id, "container not paused: it is running"}, "resume", id)
		r.ok("pause", id)
		before := count()
		if s := r.stateOf(id); s["status"] != "paused" || s["pid"].(float64) == 0 {
			t.Errorf("state of a paused container: %v", s)
		}
		contains(t, r.do("list").stdout, "paused")
		r.fails([]string{"cannot pause", id, "container not running or created: it is paused"}, "pause", id)
		r.fails([]string{id, "cannot start a container in the paused state"}, "start", id)
		r.fails([]string{id, "paused"}, "delete", id)
		time.Sleep(100 * time.Millisecond)
		if after := count(); after != before {
			t.Errorf("a paused container went on from %d to %d", before, after)
		}
		r.ok("resume", id)
		eventually(t, "the container goes on", func() bool { return count() > before })
		r.ok("delete", "--force", id)
	})
}

// TestPauseOfACreatedContainer: what waits for its start can be paused as well, as with runc, and still waits
// afterwards.
func TestPauseOfACreatedContainer(t *testing.T) {
	views(t, func(t *testing.T, r *runtime) {
		id := testenv.ID(t)
		r.fails([]string{"container does not exist"}, "pause", id)
		r.ok("create", "-b", shell(t, "exit 0", nil), id)
		r.fails([]string{"cannot resume", "container not paused: it is created"}, "resume", id)
		r.ok("pause", id)
		r.fails([]string{id, "cannot start a container in the paused state"}, "start", id)
		r.ok("resume", id)
		if s := r.stateOf(id)["status"]; s != "created" {
			t.Errorf("after resume it is %v, not created", s)
		}
		r.ok("start", id)
		r.awaitStatus(id, "stopped")
		r.fails([]string{"cannot pause", "container not running or created: it is stopped"}, "pause", id)
		r.ok("delete", id)
	})
}

// TestKillOfAPausedContainer: SIGKILL takes effect immediately, another signal when the container is resumed.
func TestKillOfAPausedContainer(t *testing.T) {
	views(t, func(t *testing.T, r *runtime) {
		id, bundle := testenv.ID(t), shell(t, "trap 'exit 0' TERM; "+counting, nil)
		count := progress(t, bundle)
		r.ok("run", "--detach", "-b", bundle, id)
		eventually(t, "the container counts", func() bool { return count() > 0 })
		r.ok("pause", id)
		r.ok("kill", id, "TERM")
		if s := r.stateOf(id)["status"]; s != "paused" {
			t.Errorf("after a signal: %v", s)
		}
		r.ok("kill", id, "KILL")
		r.awaitStatus(id, "stopped")
		r.ok("delete", id)
	})
}

func TestKillOfAPausedContainerWithoutAPIDNamespace(t *testing.T) {
	views(t, func(t *testing.T, r *runtime) {
		id, bundle := testenv.ID(t), shell(t, background+"wait", func(c map[string]any) { removeNamespace(c, "pid") })
		r.ok("run", "--detach", "-b", bundle, id)
		pids := backgroundPIDs(t, bundle)
		r.ok("pause", id)
		r.ok("kill", id, "KILL")
		awaitEnd(t, pids)
		r.awaitStatus(id, "stopped")
		r.ok("delete", id)
	})
}

func TestDeleteForceOfAPausedContainer(t *testing.T) {
	views(t, func(t *testing.T, r *runtime) {
		id := testenv.ID(t)
		r.ok("run", "--detach", "-b", shell(t, "sleep 1000", nil), id)
		r.ok("pause", id)
		r.ok("delete", "--force", id)
	})
}

// TestKilledPauseIsUndone: after a pause is killed, the container is running, or paused and can be resumed, and can be
// deleted.
func TestKilledPauseIsUndone(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, counting, nil)
	count := progress(t, bundle)
	r.ok("run", "--detach", "-b", bundle, id)
	for i := range 12 {
		cmd := r.command("pause", id)
		start(t, cmd)
		time.Sleep(time.Duration(i) * time.Millisecond)
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		switch s := r.stateOf(id)["status"]; s {
		case "paused":
			r.ok("resume", id)
		case "running":
		default:
			t.Fatalf("after a killed pause: %v", s)
		}
		before := count()
		eventually(t, "the container goes on", func() bool { return count() > before })
	}
	r.ok("delete", "--force", id)
}
