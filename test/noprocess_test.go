package test

import (
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestWithoutProcess: the specification only requires process at start. Without it a container can be created, joined
// and deleted.
func TestWithoutProcess(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, "", func(c map[string]any) { delete(c, "process") })
	r.ok("create", "--bundle", bundle, id)
	if s := r.stateOf(id)["status"]; s != "created" {
		t.Errorf("status: %v", s)
	}
	r.fails([]string{"cannot start container " + id, "no process"}, "start", id)
	if o := r.do("exec", id, "/bin/echo", "joined"); o.stdout != "joined\n" || o.status != 0 {
		t.Errorf("exec: %+v", o)
	}
	if o := r.do("exec", id); o.status != 255 {
		t.Errorf("exec of nothing: %+v", o)
	}
	r.ok("kill", id, "KILL")
	r.awaitStatus(id, "stopped")
	r.ok("delete", id)

	r.fails([]string{"config.json: process: missing"}, "run", "--bundle", bundle, id)
	r.fails([]string{"container does not exist"}, "state", id)
}
