package security

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// hosts are unusual mounts that a host may have, as commands in an empty directory.
var hosts = map[string]string{
	"the usual": `:`,
	"stacked":   `mount -t proc proc /proc && mount -t proc proc /proc && mount --rbind /sys /sys && mount --rbind /sys /sys`,
	"elsewhere": `mkdir a b 'c d' && mount -t proc proc a && mount -t sysfs sysfs b && mount -t proc proc 'c d'`,
	"covered": `mkdir -p e/f e/g && mount -t proc proc e/f && mount -t sysfs sysfs e/g && mount -t tmpfs x e && mkdir e/f &&
		mount -t proc proc e/f && mount -t tmpfs x e`,
	"in the way": `mount -t tmpfs x /mnt && mkdir /mnt/p && mount -t proc proc /mnt/p && mount --bind /mnt /mnt`,
	"shared":     `mkdir h && mount -t proc proc h && mount --make-rshared /`,
}

// freshProc is the attack of a nested user namespace: each mount must fail.
const freshProc = `mount -t proc p /tmp && echo 3 3 3 3 >/tmp/sys/kernel/printk && echo REACHED
mount -t sysfs s /tmp && echo REACHED
umount /proc /sys
mount -t proc p /tmp && echo REACHED`

// TestNoPivotLeavesNoProcfs: with --no-pivot the host's mounts would stay in the container's mount namespace, hidden by
// a chroot(2). As long as one of them is a complete procfs or sysfs, the kernel lets a user namespace inside mount
// another one, in which the paths that the container masks or makes read-only are not (mnt_already_visible in
// fs/namespace.c).
func TestNoPivotLeavesNoProcfs(t *testing.T) {
	testenv.Root(t)
	before, err := os.ReadFile("/proc/sys/kernel/printk")
	if err != nil {
		t.Fatal(err)
	}
	for name, host := range hosts {
		for _, users := range []bool{false, true} {
			out := runNoPivot(t, host, func(c map[string]any) {
				// for a nested user namespace that maps id 0 to this root, user_namespaces(7)
				caps := []any{"CAP_SETFCAP"}
				process(c)["capabilities"] = map[string]any{"bounding": caps, "effective": caps, "permitted": caps}
				testenv.SetArgs(c, "unshare", "-Urmpf", "--propagation", "private", "sh", "-c", freshProc)
				if name == "shared" {
					c["linux"].(map[string]any)["rootfsPropagation"] = "rshared"
				}
				if users {
					testenv.MapIDs(c, 300000, 65536)
				}
			})
			if users && (name == "covered" || name == "in the way") {
				// A locked mount that cannot be reached can neither be unmounted nor covered.
				if !strings.Contains(out, "without --no-pivot") {
					t.Errorf("%s, with a user namespace: %s", name, out)
				}
				continue
			}
			if strings.Contains(out, "REACHED") || strings.Contains(out, "HOST") ||
				strings.Count(out, "mount: permission denied") != 3 {
				t.Errorf("%s, user namespace %v: %s", name, users, out)
			}
		}
	}
	if after, err := os.ReadFile("/proc/sys/kernel/printk"); err != nil || string(after) != string(before) {
		_ = os.WriteFile("/proc/sys/kernel/printk", before, 0)
		t.Errorf("the host's setting was %q and is %q: %v", before, after, err)
	}
}

// runNoPivot runs a container on a host prepared with these mounts, in a mount namespace of its own. The output has a
// line HOST if that has changed the host's mounts.
func runNoPivot(t *testing.T, host string, mutate func(c map[string]any)) string {
	t.Helper()
	bundle := testenv.Bundle(t, testenv.Busybox(t), mutate)
	script := `cd ` + testenv.Dir(t) + ` && ` + host + ` || exit 9
		before=$(wc -l </proc/self/mountinfo); "$@"; [ $before = $(wc -l </proc/self/mountinfo) ] || echo HOST`
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh",
		testenv.Binary(t), "--root", filepath.Join(testenv.Dir(t), "root"), "run", "--no-pivot", "-b", bundle, testenv.ID(t))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return string(out)
}

// TestNoPivotEmptiesTheOldRoot: the host's mounts are gone from the container's mount namespace, and the host keeps
// them. That includes a procfs file bound on a file, and a root that is mounted over the old one from the start,
// because its own path cannot be searched.
func TestNoPivotEmptiesTheOldRoot(t *testing.T) {
	testenv.Root(t)
	const show = `sed 's/.* - \([^ ]*\).*/\1/' /proc/self/mountinfo | sort | uniq -c`
	normal := ""
	for _, host := range []string{":",
		`: >f && mount --bind /proc/uptime f && mkdir d && mount -t tmpfs x d && mount --make-shared d`} {
		out := runNoPivot(t, host, func(c map[string]any) { testenv.SetArgs(c, "sh", "-c", show) })
		if normal == "" {
			normal = out
		}
		if out != normal || !strings.Contains(out, "proc") {
			t.Errorf("%s: %s, want %s", host, out, normal)
		}
	}
	closed := filepath.Join(testenv.Dir(t), "closed")
	out := runNoPivot(t, ":", func(c map[string]any) {
		root := c["root"].(map[string]any)
		if err := os.MkdirAll(closed, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(root["path"].(string), filepath.Join(closed, "rootfs")); err != nil {
			t.Fatal(err)
		}
		root["path"] = filepath.Join(closed, "rootfs")
		testenv.MapIDs(c, 300000, 65536)
		testenv.SetArgs(c, "sh", "-c", "ls -d /bin/busybox")
	})
	if out != "/bin/busybox\n" {
		t.Errorf("a root behind a closed directory: %s", out)
	}
}
