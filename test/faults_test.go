package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/faults"
	"github.com/handfast/handfast/internal/testenv"
)

// faulty runs a command with a fault at one of its system calls, and returns the report and the command's error output.
func (r *runtime) faulty(at faults.At, f faults.Fault, args ...string) (faults.Report, string) {
	r.t.Helper()
	if !faults.Available {
		r.t.Skip("faults only work on amd64")
	}
	said, err := os.Create(filepath.Join(testenv.Dir(r.t), "stderr"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer said.Close()
	cmd := r.command(args...)
	cmd.Stderr = said
	report, err := faults.Run(cmd, at, f)
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := os.ReadFile(said.Name())
	if err != nil {
		r.t.Fatal(err)
	}
	return report, string(text)
}

// ownCalls counts the calls of a report that the command made itself.
func ownCalls(report faults.Report) int {
	n := 0
	for _, c := range report.Calls {
		if c.Own {
			n++
		}
	}
	return n
}

// deepGroup returns a bundle whose group has a parent of its own, and the group's path.
func deepGroup(t testing.TB) (bundle, group string) {
	group = testenv.CgroupParent() + "/" + testenv.ID(t) + "/leaf"
	return shell(t, "exec sleep 1000", func(c map[string]any) { linux(c)["cgroupsPath"] = group }), group
}

// TestKilledWhileTheGroupIsMade: create is killed at each step between the first directory of its group and the last.
// delete removes what create has made, and nothing that existed before.
func TestKilledWhileTheGroupIsMade(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle, group := deepGroup(t)
	parent := filepath.Dir(group)
	mkdir := faults.At{Syscall: "mkdirat", Path: filepath.Base(parent)}
	report, said := r.faulty(mkdir, faults.None(), "create", "-b", bundle, id)
	if report.Status.ExitStatus() != 0 {
		t.Fatalf("create: %s", said)
	}
	r.ok("delete", "--force", id)
	calls := ownCalls(report)
	if calls < 2 { // the parent and the leaf, once in every hierarchy
		t.Fatalf("%d calls of mkdirat: %v", calls, report.Calls)
	}
	var roots []string // of the hierarchies that the container is in
	for _, root := range groupsNamed(t, "/") {
		roots = append(roots, strings.TrimSuffix(root, "/"))
	}
	for n := 1; n <= calls; n++ {
		// A group that another process has made in one hierarchy stays.
		theirs := roots[n%len(roots)] + parent
		if n%2 == 0 {
			if err := os.MkdirAll(theirs, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		mkdir.N = n
		report, _ := r.faulty(mkdir, faults.Kill(), "create", "-b", bundle, id)
		if report.Hit == nil { // one directory existed already
			r.ok("delete", "--force", id)
			removeEmpty(groupsNamed(t, parent))
			continue
		}
		r.ok("delete", "--force", id)
		left := groupsNamed(t, parent)
		if n%2 == 0 {
			if !isDir(theirs) || len(left) != 1 {
				t.Errorf("killed at %v: left %v, want %s alone", report.Hit, left, theirs)
			}
		} else if len(left) > 0 {
			t.Errorf("killed at %v: left %v", report.Hit, left)
		}
		removeEmpty(left)
	}
}

func removeEmpty(groups []string) {
	for _, path := range groups {
		_ = os.Remove(path + "/leaf")
		_ = os.Remove(path)
	}
}

// TestNotTakenBack: if create fails and its group cannot be removed, its state stays, the error says what is left, and
// delete removes it.
func TestNotTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		at    faults.At
		errno unix.Errno
		hook  string // what the failing hook does first; GROUP is the group's path
		left  bool   // something stays until delete
	}{
		// The removal is tried in every hierarchy, and one directory stays.
		"EIO of rmdir": {faults.At{Syscall: "unlinkat", Path: "../", N: 2}, unix.EIO, "", true},
		// only in the memory hierarchy, where Kill does not see it
		"a hook's process": {faults.At{Syscall: "unlinkat", Path: "nothing"}, 0,
			"for d in /sys/fs/cgroup/memory /sys/fs/cgroup; do if test -d ${d}GROUP; then " +
				"sleep 1000 >/dev/null 2>&1 & echo $! >${d}GROUP/cgroup.procs; break; fi; done; ", false},
	} {
		t.Run(name, func(t *testing.T) {
			r, id := newRuntime(t), testenv.ID(t)
			bundle, group := deepGroup(t)
			edit(t, bundle, func(config map[string]any) {
				script := strings.ReplaceAll(c.hook, "GROUP", group) + "exit 3"
				setHook(config, "createRuntime", 0, "/bin/sh", "sh", "-c", script)
			})
			report, said := r.faulty(c.at, faults.Errno(c.errno), "create", "-b", bundle, id)
			contains(t, said, "createRuntime")
			if report.Status.ExitStatus() != 1 || (report.Hit != nil) != c.left {
				t.Fatalf("%+v: %s", report, said)
			}
			if c.left {
				contains(t, said, "rmdir", c.errno.Error(), "delete --force "+id)
				if s := r.stateOf(id); s["status"] != "stopped" {
					t.Errorf("%v", s)
				}
				r.ok("delete", "--force", id)
			}
			r.fails([]string{"does not exist"}, "state", id)
			if left := groupsNamed(t, filepath.Dir(group)); len(left) > 0 {
				t.Errorf("left: %v", left)
				removeEmpty(left)
			}
		})
	}
}

// TestFewDescriptors: a create that runs out of descriptors leaves nothing, whatever it has created by then.
func TestFewDescriptors(t *testing.T) {
	r := newRuntime(t)
	for limit := 8; limit < 40; limit++ {
		id := testenv.ID(t)
		bundle, group := deepGroup(t)
		cmd := r.command("create", "-b", bundle, id)
		script := fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, limit)
		cmd.Args = append([]string{"sh", "-c", script, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		o := finish(t, cmd)
		if o.status == 0 {
			r.ok("delete", "--force", id)
			continue
		}
		contains(t, o.stderr, "too many open files")
		if strings.Contains(o.stderr, "goroutine ") {
			t.Errorf("%d descriptors: %s", limit, o.stderr)
		}
		_, err := os.Stat(filepath.Join(r.root, id))
		if left := groupsNamed(t, filepath.Dir(group)); len(left) > 0 && err != nil {
			t.Errorf("%d descriptors: left %v and no state: %s", limit, left, o.stderr)
			removeEmpty(left)
		}
		r.ok("delete", "--force", id)
		if left := groupsNamed(t, filepath.Dir(group)); len(left) > 0 {
			t.Errorf("%d descriptors: delete left %v after: %s", limit, left, o.stderr)
			removeEmpty(left)
		}
	}
}

// TestUnsent: if the kernel refuses a frame of the child as a whole, the next frame reports it, and the numbers have no
// gap.
func TestUnsent(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, "exit 0", nil)
	at := faults.At{Syscall: "sendmsg"}
	report, said := r.faulty(at, faults.None(), "run", "-b", bundle, id)
	if report.Status.ExitStatus() != 0 {
		t.Fatal(said)
	}
	for i, c := range report.Calls {
		if at.N = i + 1; c.Own {
			continue
		}
		report, said := r.faulty(at, faults.Errno(unix.ENOBUFS), "run", "-b", bundle, id)
		if report.Status.ExitStatus() == 0 || !strings.Contains(said, unix.ENOBUFS.Error()) {
			t.Errorf("call %d, %v: status %d: %s", at.N, report.Hit, report.Status.ExitStatus(), said)
		}
	}
}
