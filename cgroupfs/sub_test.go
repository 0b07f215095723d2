package cgroupfs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/testenv"
)

// below makes a group below g in every hierarchy, by hand.
func below(t *testing.T, g *cgroupfs.Group, name string) {
	t.Helper()
	for h, d := range g.Dirs() {
		if err := os.MkdirAll(filepath.Join(d, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if h != "cpuset" {
			continue
		}
		at := d
		for part := range strings.SplitSeq(name, "/") {
			at = filepath.Join(at, part)
			for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
				b, err := os.ReadFile(filepath.Join(d, f))
				if err == nil {
					err = os.WriteFile(filepath.Join(at, f), b, 0)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestSub (CG31): a process joins the group that a path names, in all hierarchies or in one of v1's.
func TestSub(t *testing.T) {
	g := create(t, "sub")
	below(t, g, "a/b")
	for _, path := range []string{"a/b", "/a/b", "a", "/", ""} {
		s, err := g.Sub(path)
		if err != nil {
			t.Fatalf("%q: %v", path, err)
		}
		for h, d := range s.Dirs() {
			if want := filepath.Join(g.Dirs()[h], path); d != want {
				t.Errorf("%q in %q: %s, want %s", path, h, d, want)
			}
		}
		c := start(t, "sleep")
		if err := s.Add(c.Process.Pid); err != nil {
			t.Errorf("%q: %v", path, err)
		}
		if pids, err := s.Procs(); err != nil || !slices.Contains(pids, c.Process.Pid) {
			t.Errorf("%q: processes %v %v", path, pids, err)
		}
		if err := s.Delete(context.Background()); !errors.Is(err, unix.EINVAL) {
			t.Errorf("delete by Sub's Group: %v", err)
		}
		s.Close()
	}
}

// TestSubOfV1: a path may be for some hierarchies alone.
func TestSubOfV1(t *testing.T) {
	g := create(t, "subv1")
	below(t, g, "a/b")
	if _, ok := g.Dirs()["pids"]; !ok {
		t.Skip("needs a hierarchy of v1 for pids")
	}
	s, err := g.Sub("pids,freezer:a/b")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for h, d := range s.Dirs() {
		if moved := h == "pids" || h == "freezer"; strings.HasSuffix(d, "/a/b") != moved {
			t.Errorf("%q: %s", h, d)
		}
	}
}

// TestSubStaysBelow: nothing that a path says leads out of the group, not into a sibling whose name begins alike
// either.
func TestSubStaysBelow(t *testing.T) {
	g := create(t, "stay")
	create(t, "stay-sibling")
	below(t, g, "a")
	for _, path := range []string{"..", "../stay-sibling", "a/../../stay-sibling", "a/..", "./a", "a//", "a/", "//a",
		"-sibling", "pids:..", "pids:../stay-sibling", "nosuch:a", ":a", "pids:a:b",
		"a\x00b", "missing", "pids:missing", strings.Repeat("x", 256)} {
		if s, err := g.Sub(path); err == nil {
			t.Errorf("%q leads to %v", path, s.Dirs())
			s.Close()
		}
	}
}

// TestDelegate (CG24): the directory and the kernel's list of files change hands, and limits do not.
func TestDelegate(t *testing.T) {
	g := create(t, "delegate")
	if err := g.Delegate(65534); err != nil {
		t.Fatal(err)
	}
	d, ok := g.Dirs()[""]
	if !ok {
		t.Skip("needs a v2 hierarchy")
	}
	owner := func(file string) uint32 {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(d, file), &st); err != nil {
			t.Fatal(err)
		}
		return st.Uid
	}
	for file, want := range map[string]uint32{"": 65534, "cgroup.procs": 65534, "cgroup.threads": 65534,
		"cgroup.subtree_control": 65534, "cgroup.freeze": 0, "cgroup.max.depth": 0} {
		if got := owner(file); got != want {
			t.Errorf("%q belongs to %d, want %d", file, got, want)
		}
	}
}

// TestCreateBelowAFrozenGroup (LC19): its processes would stop at once, and nobody would know why.
func TestCreateBelowAFrozenGroup(t *testing.T) {
	g := create(t, "cold")
	if err := g.Freeze(context.Background()); err != nil {
		t.Fatal(err)
	}
	l, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	other, err := cgroupfs.Create(l, g.Path()+"/below")
	if err == nil {
		other.Close()
	}
	if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "frozen") ||
		!strings.Contains(err.Error(), g.Path()) {
		t.Errorf("%v", err)
	}
	if frozen, err := l.Frozen(g.Path()); err != nil || !frozen {
		t.Errorf("frozen: %t %v", frozen, err)
	}
	if frozen, err := l.Frozen(g.Path() + "/gone"); err != nil || frozen {
		t.Errorf("a group that is not there: %t %v", frozen, err)
	}
	if err := g.Thaw(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestThawBelowAFrozenGroup: it cannot thaw, and says which group keeps it.
func TestThawBelowAFrozenGroup(t *testing.T) {
	g := create(t, "above")
	l, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	inner, err := cgroupfs.Create(l, g.Path()+"/inner")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	if err := errors.Join(inner.Freeze(short(t)), g.Freeze(short(t))); err != nil {
		t.Fatal(err)
	}
	if err := inner.Thaw(short(t)); !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), g.Path()+",") {
		t.Errorf("%v", err)
	}
	if err := errors.Join(g.Thaw(short(t)), inner.Thaw(short(t)), inner.Delete(short(t))); err != nil {
		t.Error(err)
	}
}

// TestFreezeGivesUp: a freeze that cannot be waited for leaves the group thawed.
func TestFreezeGivesUp(t *testing.T) {
	g := create(t, "giveup")
	for range 20 {
		c := start(t, "sleep")
		if err := g.Add(c.Process.Pid); err != nil {
			t.Fatal(err)
		}
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for range 20 {
		err := g.Freeze(ended)
		frozen, e := g.Frozen()
		if e != nil || frozen != (err == nil) {
			t.Fatalf("frozen %t %v after %v", frozen, e, err)
		}
		if err := g.Thaw(short(t)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestThreadedGroupIsRefused (CG23).
func TestThreadedGroupIsRefused(t *testing.T) {
	g := create(t, "threads")
	d, ok := g.Dirs()[""]
	if !ok {
		t.Skip("needs a v2 hierarchy")
	}
	if err := errors.Join(os.Mkdir(d+"/worker", 0o755), os.WriteFile(d+"/worker/cgroup.type", []byte("threaded"),
		0)); err != nil {
		t.Fatal(err)
	}
	l, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	other, err := cgroupfs.Create(l, g.Path()+"/worker/sub")
	if err == nil {
		other.Close()
	}
	if !errors.Is(err, unix.EOPNOTSUPP) || !strings.Contains(err.Error(), "domain invalid") {
		t.Errorf("%v", err)
	}
}

// TestDeleteOfABusyGroup (CG27): who is in it is said when the patience ends, and it is removed once it is empty.
func TestDeleteOfABusyGroup(t *testing.T) {
	g := create(t, "busy")
	c := start(t, "sleep")
	if err := g.Add(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := g.Delete(ctx)
	if !errors.Is(err, unix.EBUSY) || !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), fmt.Sprintf("process %d is in it", c.Process.Pid)) {
		t.Errorf("%v", err)
	}
	ended := make(chan error, 1)
	go func() {
		time.Sleep(20 * time.Millisecond)
		ended <- c.Process.Kill()
	}()
	if err := errors.Join(g.Delete(short(t)), <-ended); err != nil {
		t.Error(err)
	}
}

func TestOOMNamesTheLimit(t *testing.T) {
	g := create(t, "oom")
	apply(t, g, cgroupfs.Resources{Memory: p[int64](16 << 20), MemorySwap: p[int64](16 << 20)})
	if o, err := g.OOM(); err != nil || o.Kills != 0 || o.Limit != 16<<20 || o.String() != "" {
		t.Errorf("before: %+v %v", o, err)
	}
	c := start(t, "hog")
	if err := g.Add(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	c.tell()
	<-c.out
	if o, err := g.OOM(); err != nil || o.Kills != 1 || !strings.HasPrefix(o.String(),
		"possibly killed by the memory limit of 16777216 bytes: memory.") {
		t.Errorf("after: %+v %q %v", o, o, err)
	}
	apply(t, g, cgroupfs.Resources{Memory: p[int64](-1), MemorySwap: p[int64](-1)})
	if o, err := g.OOM(); err != nil || o.Limit != -1 || !strings.HasPrefix(o.String(),
		"possibly killed because the host was out of memory: memory.") {
		t.Errorf("without a limit: %+v %q %v", o, o, err)
	}
}

// ExampleGroup_Sub joins a group that the container has made below its own, in one hierarchy of v1.
func ExampleGroup_Sub() {
	layout, err := cgroupfs.Host()
	if err != nil {
		return
	}
	group, err := cgroupfs.Load(layout, cgroupfs.Saved{Path: testenv.CgroupParent() + "/web"})
	if err != nil {
		return
	}
	defer group.Close()
	sub, err := group.Sub("memory:worker")
	if err != nil {
		return // there is no such group
	}
	defer sub.Close()
	_ = sub.Add(os.Getpid())
}
