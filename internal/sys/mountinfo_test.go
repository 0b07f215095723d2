package sys_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
)

const mountinfo = `26 1 254:0 / / rw,relatime - ext4 /dev/vda rw
36 26 0:5 /a\040b /mnt/a\011\134b\012 rw shared:7 master:2 - tmpfs x rw
37 36 0:5 / /mnt rw master:2 propagate_from:1 - proc proc rw
`

func TestParseMounts(t *testing.T) {
	got, err := sys.ParseMounts(mountinfo)
	want := []sys.MountEntry{
		{ID: 26, Parent: 1, Device: "254:0", Root: "/", Point: "/", Type: "ext4"},
		{ID: 36, Parent: 26, Device: "0:5", Root: "/a b", Point: "/mnt/a\t\\b\n", Type: "tmpfs", Shared: true},
		{ID: 37, Parent: 36, Device: "0:5", Root: "/", Point: "/mnt", Type: "proc"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for _, bad := range []string{"x\n", "1 2 3 4 - tmpfs\n", "x 1 0:5 / / rw - t s o\n", "1 -1 0:5 / / rw - t s o\n",
		"\n"} {
		if m, err := sys.ParseMounts(bad); err == nil {
			t.Errorf("%q: %v", bad, m)
		}
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add(mountinfo)
	f.Add(`1 2 0:1 /\04 /\999\ rw - - - -`)
	f.Fuzz(func(t *testing.T, text string) {
		mounts, err := sys.ParseMounts(text)
		if err == nil && len(mounts) != len(strings.Split(strings.TrimSuffix(text, "\n"), "\n")) && text != "" {
			t.Errorf("%d mounts of %q", len(mounts), text)
		}
	})
}

// TestMountRoot: the mount id of a descriptor from statx(2) is in the list, and going up from anywhere on a mount leads
// to its root.
func TestMountRoot(t *testing.T) {
	list, err := sys.OpenMounts()
	must(t, err)
	defer sys.Close(list)
	mounts, err := sys.ReadMounts(list)
	must(t, err)
	for _, dir := range []string{t.TempDir(), "/proc/self/fd", "/proc", "/"} {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		must(t, err)
		id, _, err := sys.MountOf(fd)
		must(t, err)
		root, err := sys.MountRoot(fd, dir)
		must(t, err)
		sys.Close(fd)
		again, is, err := sys.MountOf(root)
		must(t, err)
		sys.Close(root)
		if again != id || !is {
			t.Errorf("%s: mount %d, its root is on %d (%v)", dir, id, again, is)
		}
		found := false
		for _, m := range mounts {
			if m.ID == id {
				rel, err := filepath.Rel(m.Point, dir)
				found = err == nil && !strings.HasPrefix(rel, "..")
			}
		}
		if !found {
			t.Errorf("%s: mount %d is not in the list, or not above it", dir, id)
		}
	}
}
