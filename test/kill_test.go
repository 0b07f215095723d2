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

// TestKillBeforeStart: the signals that end a program by default end the first process of a container that has not been
// started, even in a pid namespace of its own, where the kernel ignores those without a handler.
func TestKillBeforeStart(t *testing.T) {
	for _, signal := range []string{"HUP", "INT", "TERM"} {
		for child, change := range map[string]func(map[string]any){
			"small": func(map[string]any) {},
			"whole": func(c map[string]any) { setHook(c, "startContainer", 0, "/bin/true", "true") },
		} {
			t.Run(child+" "+signal, func(t *testing.T) {
				r, id := newRuntime(t), testenv.ID(t)
				r.ok("create", "-b", shell(t, "sleep 1000", change), id)
				r.ok("kill", id, signal)
				r.awaitStatus(id, "stopped")
				r.ok("delete", id)
			})
		}
	}

	// Once it is started its program decides again.
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, "trap 'echo got >>/got' TERM; echo >>/ready; while :; do sleep 0.1; done", nil)
	r.ok("create", "-b", bundle, id)
	r.ok("start", id)
	read := func(name string) string {
		data, _ := os.ReadFile(filepath.Join(rootOf(t, bundle), name))
		return string(data)
	}
	eventually(t, "it has its trap", func() bool { return read("ready") == "\n" })
	r.ok("kill", id, "TERM")
	eventually(t, "it gets the signal", func() bool { return read("got") == "got\n" })
	r.ok("delete", "--force", id)
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
