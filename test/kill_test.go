package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestWhatTheFirstProcessLeaves: without a pid namespace of its own a container's other processes outlive its first
// one. KILL ends them, and delete without force does not.
func TestWhatTheFirstProcessLeaves(t *testing.T) {
	r := newRuntime(t)
	leave := func(group string) string {
		id := testenv.ID(t)
		r.ok("run", "--detach", "-b", shell(t, "sleep 1000 & sleep 1000 & exit 0", func(c map[string]any) {
			removeNamespace(c, "pid")
			linux(c)["cgroupsPath"] = group
		}), id)
		r.awaitStatus(id, "stopped")
		return id
	}
	group := testenv.CgroupParent() + "/" + testenv.ID(t)
	populated := func() bool {
		for _, g := range groupsNamed(t, group) {
			if data, err := os.ReadFile(filepath.Join(g, "cgroup.procs")); err == nil && len(data) > 0 {
				return true
			}
		}
		return false
	}

	id := leave(group)
	r.fails([]string{"container not running"}, "kill", id, "TERM")
	if !populated() {
		t.Fatal("no process is left")
	}
	r.ok("kill", id, "KILL")
	if populated() {
		t.Error("KILL left something")
	}
	r.fails([]string{"container not running"}, "kill", id, "KILL")
	r.ok("kill", "--all", id, "KILL")
	r.ok("kill", "--all", id, "TERM")
	r.ok("delete", id)

	id = leave(group)
	r.ok("kill", "--all", id, "TERM")
	eventually(t, "TERM reaches all", func() bool { return !populated() })
	r.ok("delete", id)

	id = leave(group)
	r.ok("delete", "--force", id)
	if populated() {
		t.Error("delete --force left something")
	}
}

// TestKillAll: with --all every process of a container gets the signal, otherwise only the first one.
func TestKillAll(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	const loop = "echo >>/ready; while :; do sleep 0.1; done"
	bundle := shell(t, "(trap 'echo second >>/got' USR1; "+loop+") & trap 'echo first >>/got' USR1; "+loop, nil)
	r.ok("run", "--detach", "-b", bundle, id)
	read := func(name string) string {
		data, _ := os.ReadFile(filepath.Join(rootOf(t, bundle), name))
		return string(data)
	}
	got := func() string { return read("got") }
	eventually(t, "both have their traps", func() bool { return read("ready") == "\n\n" })
	r.ok("kill", id, "USR1")
	eventually(t, "the first one gets it", func() bool { return got() == "first\n" })
	r.ok("kill", "--all", id, "USR1")
	eventually(t, "both get it", func() bool {
		return strings.Count(got(), "first") == 2 && strings.Count(got(), "second") == 1
	})
	r.ok("kill", "--all", id, "KILL")
	r.awaitStatus(id, "stopped")
	r.ok("kill", "--all", id, "KILL")
	r.ok("delete", id)
}
