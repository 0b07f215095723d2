package test

import (
	"os/exec"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// inV2 makes a command run in a mount namespace of its own, in which the host seems to have only cgroup v2.
func inV2(cmd *exec.Cmd) *exec.Cmd {
	script := `umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"`
	return exec.Command("unshare", append([]string{"--mount", "--propagation", "private", "sh", "-c", script, "sh"},
		cmd.Args...)...)
}

// TestPureV2: on a host with only cgroup2 the child is created in its group, and the container sees that as the root.
func TestPureV2(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	testenv.Tool(t, "unshare", "util-linux")
	bundle := shell(t, "cat /proc/self/cgroup; grep -c cgroup2 /proc/mounts; ls /sys/fs/cgroup/cgroup.procs",
		func(c map[string]any) {
			linux(c)["namespaces"] = append(linux(c)["namespaces"].([]any), map[string]any{"type": "cgroup"})
			addMount(c, "/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")
		})
	o := finish(t, inV2(r.command("run", "-b", bundle, id)))
	if o.status != 0 || o.stderr != "" {
		t.Fatalf("%+v", o)
	}
	contains(t, o.stdout, "0::/\n", "\n1\n/sys/fs/cgroup/cgroup.procs\n")
}

// TestDeviceRulesOnV2: a device that the rules deny cannot be opened although its node exists, and the default devices
// can.
func TestDeviceRulesOnV2(t *testing.T) {
	r := newRuntime(t)
	testenv.Tool(t, "unshare", "util-linux")
	bundle := shell(t, "head -c 1 /dev/zero | wc -c; head -c 1 /dev/denied 2>&1; echo > /dev/null",
		func(c map[string]any) {
			linux(c)["devices"] = []any{map[string]any{"path": "/dev/denied", "type": "c", "major": 1, "minor": 11,
				"fileMode": 0o666}}
			linux(c)["resources"] = map[string]any{"devices": []any{map[string]any{"allow": false, "access": "rwm"}}}
		})
	o := finish(t, inV2(r.command("run", "-b", bundle, testenv.ID(t))))
	if o.status != 0 || o.stderr != "" {
		t.Fatalf("%+v", o)
	}
	contains(t, o.stdout, "1\n", "/dev/denied: Operation not permitted")
}

// TestDelegation (CG24): if a container has a cgroup namespace and a writable mount of its group, its user can create
// groups below it; with a read-only mount it owns nothing.
func TestDelegation(t *testing.T) {
	for option, want := range map[string]string{"rw": "made\n", "ro": "refused\n"} {
		r := newRuntime(t)
		testenv.Tool(t, "unshare", "util-linux")
		bundle := shell(t, "if mkdir /sys/fs/cgroup/x 2>/dev/null && echo $$ > /sys/fs/cgroup/x/cgroup.procs; then echo "+
			"made; else echo refused; fi", func(c map[string]any) {
			linux(c)["namespaces"] = append(linux(c)["namespaces"].([]any), map[string]any{"type": "cgroup"})
			addMount(c, "/sys/fs/cgroup", "cgroup", "cgroup", option, "nosuid", "noexec", "nodev")
			process(c)["user"] = map[string]any{"uid": 65534, "gid": 65534}
		})
		if o := finish(t, inV2(r.command("run", "-b", bundle, testenv.ID(t)))); o != (outcome{stdout: want}) {
			t.Errorf("%s: %+v", option, o)
		}
	}
}
