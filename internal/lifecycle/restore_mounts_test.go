package lifecycle

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/criu/plan"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/syncproto/container"
)

// TestMountPointsStayBelow: whatever links a container has left in its root file system and its volumes, a restore
// makes mount points in the root alone, and binds parts of a volume from that volume alone.
func TestMountPointsStayBelow(t *testing.T) {
	testenv.Root(t)
	dir := testenv.Dir(t)
	root, volume, outside := filepath.Join(dir, "root"), filepath.Join(dir, "volume"), filepath.Join(dir, "outside")
	for _, p := range []string{root, outside, volume + "/part", volume + "/etc", outside + "/etc"} {
		check(t, os.MkdirAll(p, 0o755))
	}
	for link, to := range map[string]string{
		root + "/mnt": outside, root + "/up": "../../outside", volume + "/y": "/etc", volume + "/z": "../outside/etc",
		volume + "/again": "part", root + "/link": "target",
	} {
		check(t, os.Symlink(to, link))
	}
	c := &restoration{creation: &creation{decided: decided{plan: &oci.Planned{}}}}
	c.plan.Spawn.Container.Mounts = []container.Mount{
		{Destination: "/mnt/volume", Source: volume, Bind: true},
		{Destination: "/up/file", Source: "/dev/null", Bind: true},
		{Destination: "/run", Type: "tmpfs", Source: "tmpfs"},
		{Destination: "/run/volume", Source: volume, Bind: true},
		{Destination: "/link", Type: "tmpfs", Source: "tmpfs"},
		{Destination: "/link/volume", Source: volume, Bind: true},
		{Destination: "/target/other", Source: volume, Bind: true},
	}
	c.plan.Spawn.Container.Readonly = []string{"/", "/mnt/volume", "/mnt/volume/part", "/mnt/volume/again", "/missing",
		"/mnt/volume/y", "/mnt/volume/z", "/run/volume/part", "/run/volume/y", "/run/volume/z", "/run/volume/missing",
		"/link/volume/part", "/outside/file/below"}

	var got []plan.Bind
	check(t, sys.OnThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
			return err
		}
		before, err := mountsOf("thread-self")
		if err != nil {
			return err
		}
		if got, err = c.mountPoints(root); err != nil {
			return err
		}
		after, err := mountsOf("thread-self")
		if len(after) != len(before) {
			t.Errorf("%d mounts before, %d after", len(before), len(after))
		}
		return err
	}))
	real, part := outside+"/volume", outside+"/volume/part"
	want := []plan.Bind{
		{Destination: real, Source: volume}, {Destination: "/outside/file", Source: "/dev/null"},
		{Destination: "/run/volume", Source: volume}, {Destination: "/target/volume", Source: volume},
		{Destination: "/target/other", Source: volume},
		{Destination: part, Source: volume + "/part"}, {Destination: part, Source: volume + "/part"},
		{Destination: "/run/volume/part", Source: volume + "/part"},
		{Destination: "/run/volume/y", Source: volume + "/etc"},
		{Destination: "/target/volume/part", Source: volume + "/part"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(filepath.Join(root, real)); err != nil {
		t.Errorf("no mount point in the root: %v", err)
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 1 {
		t.Errorf("made outside: %v, %v", left, err)
	}
}

// check fails the test at once for an error.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
