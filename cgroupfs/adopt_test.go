package cgroupfs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
)

// TestAdopt: a group that somebody else has made and holds a process in is opened, made in the hierarchies where it is
// not, and Delete leaves what was above it.
func TestAdopt(t *testing.T) {
	other := create(t, "other/inside")
	c := start(t, "sleep")
	if err := other.Add(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	l, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	// As if its maker knew all hierarchies but the last one.
	if dirs := l.Hierarchies; len(dirs) > 1 {
		last := dirs[len(dirs)-1]
		g, err := cgroupfs.Load(&cgroupfs.Layout{Hierarchies: dirs[len(dirs)-1:]}, other.Saved())
		if err != nil {
			t.Fatal(err)
		}
		own := last.Own
		if own == "" {
			own = "/"
		}
		if err := errors.Join(os.WriteFile(filepath.Join(last.Mountpoint, own, "cgroup.procs"),
			fmt.Append(nil, c.Process.Pid), 0), g.Delete(context.Background())); err != nil {
			t.Fatal(err)
		}
		g.Close()
	}
	g, err := cgroupfs.Adopt(l, other.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if len(g.Dirs()) != len(l.Hierarchies) || len(g.Skipped()) > 0 || g.Saved().Made != 0 {
		t.Errorf("it is in %v, not in %v, and %d of it were made", g.Dirs(), g.Skipped(), g.Saved().Made)
	}
	if err := g.Add(c.Process.Pid); err != nil {
		t.Error(err)
	}
	for _, d := range g.Dirs() {
		holds(t, d, c.Process.Pid)
	}
	if _, err := cgroupfs.Adopt(l, "/a/../b"); err == nil {
		t.Error("a path with .. was taken")
	}
	dirs := g.Dirs()
	if err := errors.Join(g.Kill(t.Context()), g.Delete(t.Context())); err != nil {
		t.Error(err)
	}
	for h, d := range dirs {
		if _, err := os.Stat(d); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("left: %s %v", d, err)
		}
		// What was above is its maker's to remove; only in the last hierarchy it was made here.
		made := len(dirs) > 1 && h == l.Hierarchies[len(l.Hierarchies)-1].Name
		if _, err := os.Stat(filepath.Dir(d)); (err == nil) == made {
			t.Errorf("above it in %q: %v", h, err)
		}
	}
}

func holds(t *testing.T, dir string, pid int) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil || !strings.Contains("\n"+string(data), fmt.Sprintf("\n%d\n", pid)) {
		t.Errorf("%s holds %q, %v", dir, data, err)
	}
}

// TestInner (SD09): the process goes one group down, in every hierarchy, and on v2 that has the controllers.
func TestInner(t *testing.T) {
	g := create(t, "outer")
	c := start(t, "sleep")
	if err := g.Add(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"a/b", "..", ".", "", "/"} {
		if err := g.Inner(bad, c.Process.Pid); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if err := g.Inner("a/b", c.Process.Pid); !errors.Is(err, unix.EINVAL) {
		t.Error(err)
	}
	for range 2 {
		if err := g.Inner("inner", c.Process.Pid); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range g.Dirs() {
		holds(t, filepath.Join(d, "inner"), c.Process.Pid)
	}
	l, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	if l.Mode() != cgroupfs.V2 {
		return
	}
	for file, d := range g.Dirs() {
		have, err := os.ReadFile(filepath.Join(d, "cgroup.controllers"))
		got, err2 := os.ReadFile(filepath.Join(d, "inner/cgroup.controllers"))
		if err != nil || err2 != nil || string(have) != string(got) {
			t.Errorf("%q: controllers %q, below %q: %v", file, have, got, errors.Join(err, err2))
		}
	}
}
