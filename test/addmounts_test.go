package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// mountsFile writes mounts to a file for the command mounts.
func mountsFile(t *testing.T, mounts any) string {
	t.Helper()
	path := filepath.Join(testenv.Dir(t), "mounts.json")
	data, err := json.Marshal(mounts)
	must(t, err)
	must(t, os.WriteFile(path, data, 0o644))
	return path
}

func mountOf(destination, kind, source string, options ...string) map[string]any {
	return map[string]any{"destination": destination, "type": kind, "source": source, "options": options}
}

// TestMountsAdd adds directories, files and a file system to a running container, with their attributes, and removes
// them again. It checks what the host and other processes of the container see.
func TestMountsAdd(t *testing.T) {
	for name, mutate := range map[string]func(map[string]any){
		"plain": nil, "in a user namespace": func(c map[string]any) { testenv.MapIDs(c, hostIDs, 65536) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRuntime(t)
			id, _ := r.sleeper(mutate)
			source := testenv.Dir(t)
			must(t, os.WriteFile(filepath.Join(source, "file"), []byte("hello"), 0o644))
			list := []any{
				mountOf("/mnt/new/dir", "none", source, "bind", "ro", "nosuid"),
				mountOf("/mnt/file", "none", filepath.Join(source, "file"), "bind"),
			}
			if mutate == nil {
				list = append(list, mountOf("/mnt/tmp", "tmpfs", "tmpfs", "size=1m", "mode=700", "noexec"))
			}
			file := mountsFile(t, list)
			mountPoints := func() string {
				o := r.do("exec", id, "/bin/sh", "-c", "grep /mnt /proc/self/mountinfo; "+
					"cat /mnt/new/dir/file /mnt/file; touch /mnt/new/dir/x 2>&1")
				return o.stdout
			}
			r.ok("mounts", "add", id, file)
			got := mountPoints()
			contains(t, got, " /mnt/new/dir ro,nosuid", " /mnt/file ", "hellohello", "Read-only file system")
			if mutate == nil {
				contains(t, got, " /mnt/tmp rw,noexec", "size=1024k")
			}
			if data, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(data), "/mnt/new/dir") {
				t.Error("the host has the mount too")
			}
			r.ok("mounts", "remove", id, file)
			if got := mountPoints(); strings.Contains(got, " /mnt/new/dir ro") || strings.Contains(got, "hello") {
				t.Errorf("after remove: %s", got)
			}
			r.fails([]string{"/mnt/new/dir", "no mount that was added"}, "mounts", "remove", id, file)
			r.ok("mounts", "add", id, mountsFile(t, map[string]any{"mounts": list}))
			r.ok("delete", "--force", id)
		})
	}
}

// TestMountsAddRefuses: if one mount of a file fails, none of them is added.
func TestMountsAddRefuses(t *testing.T) {
	r := newRuntime(t)
	id, bundle := r.sleeper(nil)
	good := mountOf("/mnt/good", "tmpfs", "tmpfs")
	for name, c := range map[string]struct {
		bad   map[string]any
		words []string
	}{
		"a source that is missing": {mountOf("/mnt/x", "", "/nonexistent/source", "bind"),
			[]string{"mounts[1]", "/nonexistent/source", "no such file"}},
		"a directory on a file": {mountOf("/bin/busybox", "", "/tmp", "bind"),
			[]string{"mounts[1]", "/bin/busybox", "not a directory"}},
		"on /proc": {mountOf("/proc/sys", "tmpfs", "tmpfs"), []string{"mounts[1].destination", "/proc/sys",
			"running container"}},
		"on a link to /proc":     {mountOf("/toproc/sys", "tmpfs", "tmpfs"), []string{"/toproc/sys", "in a procfs"}},
		"on the root":            {mountOf("/x/..", "tmpfs", "tmpfs"), []string{"mounts[1].destination", "root"}},
		"a procfs":               {mountOf("/mnt/x", "proc", "proc"), []string{"mounts[1].type", `proc`, "the host's"}},
		"an unknown file system": {mountOf("/mnt/x", "bogusfs", "none"), []string{"bogusfs", "no such device"}},
		"an unknown option":      {mountOf("/mnt/x", "tmpfs", "tmpfs", "bogus=1"), []string{"bogus"}},
		"no destination":         {mountOf("", "tmpfs", "tmpfs"), []string{"mounts[1].destination", "missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Symlink("/proc", filepath.Join(rootOf(t, bundle), "toproc"))
			r.fails(c.words, "mounts", "add", id, mountsFile(t, []any{good, c.bad}))
			if o := r.do("exec", id, "/bin/grep", "/mnt", "/proc/self/mountinfo"); o.stdout != "" {
				t.Errorf("left: %s", o.stdout)
			}
		})
	}
	r.fails([]string{"mounts: none"}, "mounts", "add", id, mountsFile(t, []any{}))
	r.fails([]string{"move", "want add or remove"}, "mounts", "move", id, "x")
	r.fails([]string{"/nonexistent", "no such file"}, "mounts", "add", id, "/nonexistent")
	r.fails([]string{"does not exist"}, "mounts", "add", "nobody", mountsFile(t, []any{good}))

	// If the container has redirected the path, nothing is unmounted there.
	r.ok("mounts", "add", id, mountsFile(t, []any{mountOf("/mnt/a/sys", "tmpfs", "tmpfs")}))
	if o := r.do("exec", id, "/bin/sh", "-c", "mv /mnt/a /mnt/b && ln -s /proc /mnt/a"); o != (outcome{}) {
		t.Fatalf("%+v", o)
	}
	r.fails([]string{"/mnt/a/sys", "not there any more"}, "mounts", "remove", id,
		mountsFile(t, []any{mountOf("/mnt/a/sys", "tmpfs", "tmpfs")}))
	r.ok("kill", id, "KILL")
	r.awaitStatus(id, "stopped")
	r.fails([]string{"it is stopped"}, "mounts", "add", id, mountsFile(t, []any{good}))
	r.ok("delete", id)

	other := testenv.ID(t)
	r.ok("run", "--detach", "--bundle", shell(t, "exec sleep 1000", func(c map[string]any) {
		removeNamespace(c, "mount")
		delete(c, "mounts")
		delete(linux(c), "maskedPaths")
		delete(linux(c), "readonlyPaths")
	}), other)
	r.fails([]string{"no mount namespace of its own"}, "mounts", "add", other, mountsFile(t, []any{good}))
	r.ok("delete", "--force", other)
}
