package test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// plainID is the user with its own systemd; only a user in passwd(5) can have one.
const plainID = 4711

// TestSystemdUser (SD05, SD07): a plain user's container is in a scope of the user's own systemd, with limits, and exec
// works in it.
func TestSystemdUser(t *testing.T) {
	newSystemd(t)
	if os.Getenv("HANDFAST_TEST_VM") == "" {
		t.Skip("adds a user to the host, so it only runs in the virtual machine: make test-vm")
	}
	runtimeDir := "/run/user/" + strconv.Itoa(plainID)
	for _, command := range [][]string{{"useradd", "-M", "-u", strconv.Itoa(plainID), "plain"},
		{"loginctl", "enable-linger", "plain"}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	t.Cleanup(func() {
		for _, command := range [][]string{{"loginctl", "disable-linger", "plain"},
			{"systemctl", "stop", "user@" + strconv.Itoa(plainID), "user-" + strconv.Itoa(plainID) + ".slice"}} {
			if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
				t.Logf("%v: %v\n%s", command, err, out)
			}
		}
		eventually(t, "the user's systemd to end", func() bool {
			_, err := os.Stat(runtimeDir)
			return errors.Is(err,
				fs.ErrNotExist)
		})
	})
	eventually(t, "the user's bus", func() bool { _, err := os.Stat(runtimeDir + "/bus"); return err == nil })

	binary, dir := testenv.Binary(t), testenv.Dir(t)
	if err := errors.Join(os.Rename(testenv.Busybox(t), filepath.Join(dir, "rootfs")),
		os.Chown(dir, plainID, plainID)); err != nil {
		t.Fatal(err)
	}
	asUser := func(args ...string) *exec.Cmd {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir, cmd.Env = dir, []string{"XDG_RUNTIME_DIR=" + runtimeDir, "PATH=/usr/bin:/bin"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: plainID, Gid: plainID}}
		return cmd
	}
	handfast := func(args ...string) outcome {
		return finish(t, asUser(append([]string{binary, "--systemd-cgroup"}, args...)...))
	}
	if o := handfast("spec", "--rootless"); o != (outcome{}) {
		t.Fatalf("spec: %+v", o)
	}
	edit(t, dir, func(c map[string]any) {
		process(c)["terminal"] = false
		testenv.SetArgs(c, "sleep", "1000")
		linux(c)["resources"] = map[string]any{"pids": map[string]any{"limit": 60},
			"memory": map[string]any{"limit": 64 << 20}}
	})
	id := testenv.ID(t)
	if o := handfast("run", "-d", id); o != (outcome{}) {
		t.Fatalf("run: %+v", o)
	}
	unit := "handfast-" + id + ".scope"
	group := "/user.slice/user-4711.slice/user@4711.service/user.slice/" + unit
	o := finish(t, asUser("systemctl", "--user", "show", "-p", "ControlGroup,TasksMax,MemoryMax", unit))
	contains(t, o.stdout, "ControlGroup="+group, "TasksMax=60", "MemoryMax=67108864")
	files(t, group, map[string]string{"pids.max": "60", "memory.max": "67108864"})
	if o := handfast("exec", id, "cat", "/proc/self/cgroup"); o.status != 0 ||
		!strings.HasSuffix(o.stdout, unit+"\n") && o.stdout != "0::/\n" {
		t.Errorf("exec: %+v", o)
	}
	if o := handfast("delete", "--force", id); o != (outcome{}) {
		t.Errorf("delete: %+v", o)
	}
	if isDir("/sys/fs/cgroup" + group) {
		t.Error("the group is left")
	}
}
