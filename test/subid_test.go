package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/internal/testenv"
)

// TestPlainUserWithSubordinateIDs runs a container as an unprivileged account with subordinate ids: newuidmap(1) and
// newgidmap(1) write the mappings, and exec joins it. The account is in files that only this test's mount namespace
// sees.
func TestPlainUserWithSubordinateIDs(t *testing.T) {
	testenv.Root(t)
	for _, p := range []string{"newuidmap", "newgidmap"} {
		testenv.Tool(t, p, "uidmap")
	}
	binary, dir := testenv.Binary(t), testenv.Dir(t)
	if err := os.Rename(testenv.Busybox(t), filepath.Join(dir, "rootfs")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("chown", "-R", fmt.Sprintf("%d:%d", hostIDs, hostIDs), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	etc := testenv.Dir(t)
	for name, line := range map[string]string{
		"passwd": fmt.Sprintf("plain:x:%d:%d::/:/bin/sh\n", hostIDs, hostIDs), "group": fmt.Sprintf("plain:x:%d:\n", hostIDs),
		"subuid": "plain:400000:65536\n", "subgid": "plain:400000:65536\n",
	} {
		data, _ := os.ReadFile("/etc/" + name)
		if err := os.WriteFile(filepath.Join(etc, name), append(data, line...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Binds over files need existing files; a host without subordinate ids may lack two of them, so the test binds its
	// files over a copy of the directory.
	view := `for f in passwd group subuid subgid; do test -e /etc/$f || : >/etc/$f; mount --bind ` + etc +
		`/$f /etc/$f; done; cd ` + dir + `; exec setpriv --reuid 300000 --regid 300000 "$@"`
	asMember := func(groups string, args ...string) *exec.Cmd {
		return exec.Command("unshare", append([]string{"-m", "--propagation", "private", "sh", "-c", view, "sh", groups,
			binary, "--root", filepath.Join(dir, "run")}, args...)...)
	}
	asUser := func(args ...string) *exec.Cmd { return asMember("--clear-groups", args...) }
	if o := finish(t, asUser("spec", "--rootless")); o != (outcome{}) {
		t.Fatalf("spec: %+v", o)
	}
	mapping := []any{map[string]any{"containerID": 0, "hostID": hostIDs, "size": 1},
		map[string]any{"containerID": 1, "hostID": 400000, "size": 65536}}
	edit(t, dir, func(c map[string]any) {
		process(c)["terminal"] = false
		c["root"].(map[string]any)["readonly"] = false
		process(c)["user"] = map[string]any{"uid": 0, "gid": 0, "additionalGids": []any{7}}
		linux(c)["uidMappings"], linux(c)["gidMappings"] = mapping, mapping
		testenv.SetArgs(c, "true")
	})
	id := testenv.ID(t)
	if o := finish(t, asUser("--debug", "run", id)); smallchild.Available {
		contains(t, o.stderr, ": child small")
	}
	edit(t, dir, func(c map[string]any) {
		testenv.SetArgs(c, "sh", "-c", "id; cat /proc/self/setgroups; exec sleep 1000")
	})
	out, err := os.Create(filepath.Join(testenv.Dir(t), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := asUser("run", "--detach", id)
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	said := func() string { data, _ := os.ReadFile(out.Name()); return string(data) }
	if err != nil {
		t.Fatalf("%v: %s", err, said())
	}
	const want = "uid=0(root) gid=0(root) groups=7\nallow\n"
	for end := time.Now().Add(patience); said() != want && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	if said() != want {
		t.Errorf("inside: %q, want %q", said(), want)
	}
	if o := finish(t, asUser("exec", "-u", "5:6", id, "sh", "-c",
		"id; touch /tmp/made")); o != (outcome{"uid=5 gid=6 groups=7\n", "", 0}) {
		t.Errorf("exec: %+v", o)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(filepath.Join(dir, "rootfs/tmp/made"), &st); err != nil || st.Uid != 400004 {
		t.Errorf("user 5 of the container is %d of the host, want 400004 (%v)", st.Uid, err)
	}
	if o := finish(t, asUser("exec", "-u", "70000", id, "id")); o.status != 255 ||
		!strings.Contains(o.stderr, "70000 is not mapped") {
		t.Errorf("exec as an unmapped user: %+v", o)
	}
	if o := finish(t, asUser("delete", "--force", id)); o != (outcome{}) {
		t.Errorf("delete: %+v", o)
	}
	// A plain user can set what needs no rights over the host, even for another user of the container; the rest is an
	// error.
	tuned := func(nice int) {
		edit(t, dir, func(c map[string]any) {
			process(c)["user"] = map[string]any{"uid": 5, "gid": 5}
			process(c)["scheduler"] = map[string]any{"policy": "SCHED_BATCH", "nice": nice}
			process(c)["ioPriority"] = map[string]any{"class": "IOPRIO_CLASS_IDLE"}
			linux(c)["personality"] = map[string]any{"domain": "LINUX32"}
			testenv.SetArgs(c, "sh", "-c", "cut -d ' ' -f 19,41 /proc/self/stat; cat /proc/self/personality; ionice -p $$")
		})
	}
	tuned(4)
	if o := finish(t, asUser("run", id)); o != (outcome{"4 3\n00000008\nidle\n", "", 0}) {
		t.Errorf("scheduler, priority and personality: %+v", o)
	}
	tuned(-4)
	const denied = "scheduler SCHED_BATCH, nice -4: sched_setattr: operation not permitted"
	if o := finish(t, asUser("run", id)); o.status != 1 || !strings.Contains(o.stderr, denied) {
		t.Errorf("a nice value that takes CAP_SYS_NICE: %+v", o)
	}
	// The user's own groups, if they are to stay, are the process's from its first moment on: nothing drops them.
	edit(t, dir, func(c map[string]any) {
		delete(process(c), "scheduler")
		process(c)["user"] = map[string]any{"uid": 0, "gid": 0}
		c["annotations"] = map[string]any{"run.oci.keep_original_groups": "1"}
		testenv.SetArgs(c, "grep", "Groups", "/proc/self/status")
	})
	if o := finish(t, asMember("--groups=299923", "run", id)); o != (outcome{"Groups:\t65534 \n", "", 0}) {
		t.Errorf("the user's own groups: %+v", o)
	}
	edit(t, dir, func(c map[string]any) { delete(c, "annotations") })
	if o := finish(t, asMember("--groups=299923", "run", id)); o != (outcome{"Groups:\t \n", "", 0}) {
		t.Errorf("without the annotation: %+v", o)
	}
	// newuidmap refuses more than /etc/subuid allows, and its message is in the error; nothing is left.
	edit(t, dir, func(c map[string]any) {
		linux(c)["uidMappings"] = []any{map[string]any{"containerID": 0, "hostID": 500000, "size": 10}}
	})
	if o := finish(t, asUser("run", id)); o.status != 1 || strings.Count(o.stderr, "\n") != 1 ||
		!strings.Contains(o.stderr, "newuidmap") || !strings.Contains(o.stderr, "/etc/subuid") {
		t.Errorf("a mapping that is not the user's: %+v", o)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "run")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
