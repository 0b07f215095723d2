package cgroupfs_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/testenv"
)

func short(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestKillFrozen(t *testing.T) {
	g := create(t, "kf")
	c := start(t, "sleep")
	if err := g.Add(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if err := g.Freeze(short(t)); err != nil {
		t.Fatal(err)
	}
	err := g.Kill(short(t))
	_ = g.Thaw(short(t))
	if err != nil {
		t.Error(err)
	}
}

func TestKillFrozenBelow(t *testing.T) {
	g := create(t, "kfb")
	f := ""
	for h, d := range g.Dirs() {
		if h == "freezer" {
			f = filepath.Join(d, "sub")
		}
	}
	if f == "" {
		t.Skip("no v1 freezer")
	}
	if err := os.Mkdir(f, 0o755); err != nil {
		t.Fatal(err)
	}
	c := start(t, "sleep")
	if err := g.Add(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f+"/cgroup.procs", []byte(strconv.Itoa(c.Process.Pid)), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f+"/freezer.state", []byte("FROZEN"), 0); err != nil {
		t.Fatal(err)
	}
	err := g.Kill(short(t))
	_ = os.WriteFile(f+"/freezer.state", []byte("THAWED"), 0)
	if err != nil {
		t.Error(err)
	}
}

func TestCreateRefusesProcessesBelow(t *testing.T) {
	g := create(t, "pop")
	c := start(t, "sleep")
	for _, d := range g.Dirs() {
		if err := os.Mkdir(filepath.Join(d, "sub"), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(d, "cpuset") {
			for _, n := range []string{"cpuset.cpus", "cpuset.mems"} {
				b, _ := os.ReadFile(filepath.Join(d, n))
				_ = os.WriteFile(filepath.Join(d, "sub", n), b, 0)
			}
		}
		if err := os.WriteFile(filepath.Join(d, "sub", "cgroup.procs"), []byte(strconv.Itoa(c.Process.Pid)), 0); err != nil {
			t.Fatal(err)
		}
	}
	l, _ := cgroupfs.Host()
	other, err := cgroupfs.Create(l, g.Path())
	if err == nil {
		other.Close()
	}
	if !errors.Is(err, unix.EBUSY) {
		t.Errorf("took over a group whose sub-group has a process: %v", err)
	}
}

// A parent that somebody made in cpuset without values (mkdir -p, or another create that has not got so far).
func TestCpusetParentWithoutValues(t *testing.T) {
	testenv.Root(t)
	parent := "/sys/fs/cgroup/cpuset" + testenv.CgroupParent() + "-raw"
	if err := os.Mkdir(parent, 0o755); err != nil {
		t.Skip(err)
	}
	defer os.Remove(parent)
	l, _ := cgroupfs.Host()
	g, err := cgroupfs.Create(l, testenv.CgroupParent()+"-raw/x")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	c := start(t, "sleep")
	err = g.Add(c.Process.Pid)
	_ = g.Kill(short(t))
	if e := g.Delete(short(t)); e != nil {
		t.Error(e)
	}
	if err != nil {
		t.Error(err)
	}
}

// Delete removes a parent that it did not make in that hierarchy.
func TestForeignParentStays(t *testing.T) {
	testenv.Root(t)
	p := testenv.CgroupParent() + "-foreign"
	dir := "/sys/fs/cgroup/pids" + p
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skip(err)
	}
	defer os.Remove(dir)
	l, _ := cgroupfs.Host()
	g, err := cgroupfs.Create(l, p+"/x")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Delete(short(t)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("a directory that was there before is gone: %v", err)
	}
}

// The limit grows past the present memsw limit, then shrinks below memory.
func TestMemoryGrows(t *testing.T) {
	g := create(t, "grow")
	apply(t, g, cgroupfs.Resources{Memory: p[int64](32 << 20), MemorySwap: p[int64](32 << 20)})
	apply(t, g, cgroupfs.Resources{Memory: p[int64](64 << 20), MemorySwap: p[int64](64 << 20)})
}

func TestMemoryShrinks(t *testing.T) {
	g := create(t, "shrink")
	apply(t, g, cgroupfs.Resources{Memory: p[int64](64 << 20), MemorySwap: p[int64](64 << 20)})
	apply(t, g, cgroupfs.Resources{Memory: p[int64](32 << 20), MemorySwap: p[int64](32 << 20)})
}

func TestMemoryLimitGoes(t *testing.T) {
	g := create(t, "unl")
	apply(t, g, cgroupfs.Resources{Memory: p[int64](32 << 20), MemorySwap: p[int64](32 << 20)})
	apply(t, g, cgroupfs.Resources{Memory: p[int64](-1), MemorySwap: p[int64](-1)})
}

func TestQuotaAndPeriodChange(t *testing.T) {
	g := create(t, "qp")
	apply(t, g, cgroupfs.Resources{CPUQuota: p[int64](1000), CPUPeriod: p[uint64](1000)})
	apply(t, g, cgroupfs.Resources{CPUQuota: p[int64](1000000), CPUPeriod: p[uint64](1000000)})
	apply(t, g, cgroupfs.Resources{CPUQuota: p[int64](1000), CPUPeriod: p[uint64](1000)})
	apply(t, g, cgroupfs.Resources{CPUIdle: p[int64](1)})
}

func TestIdleAndShares(t *testing.T) {
	g := create(t, "idle")
	apply(t, g, cgroupfs.Resources{CPUIdle: p[int64](1), CPUShares: p[uint64](512)})
	apply(t, g, cgroupfs.Resources{CPUIdle: p[int64](0), CPUShares: p[uint64](256)})
}

// TestBudgetOfARemovedGroup: the kernel counts the realtime budget of a removed group for as long as there is a zombie
// of it. The budget is free for the next group at once, even if nobody reaps the zombie.
func TestBudgetOfARemovedGroup(t *testing.T) {
	testenv.Root(t)
	const file, budget = "cpu.rt_runtime_us", "20000"
	if _, err := os.Stat("/sys/fs/cgroup/cpu/" + file); err != nil { // no such budgets: the error says so
		writes, err := cgroupfs.Plan(host(t), &cgroupfs.Resources{RTRuntime: p[int64](20000)})
		if err == nil {
			err = create(t, "budget").Apply(writes)
		}
		if err == nil || !strings.Contains(err.Error(), file) && !strings.Contains(err.Error(), "real-time cpu") {
			t.Errorf("without realtime budgets: %v", err)
		}
		return
	}
	parent := testenv.CgroupParent() + "-budget"
	dir := "/sys/fs/cgroup/cpu" + parent
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.WriteFile(filepath.Join(dir, file), []byte("0"), 0)
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	// What the kernel counts of earlier tests' groups may be in the way of this one.
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := os.WriteFile(filepath.Join(dir, file), []byte(budget), 0)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	for range 3 {
		g, err := cgroupfs.Create(host(t), parent+"/made/one")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := errors.Join(g.Kill(short(t)), g.Delete(short(t))); err != nil {
				t.Error(err)
			}
			g.Close()
		})
		zombie := exec.Command("/bin/sleep", "1000")
		if err := zombie.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = errors.Join(zombie.Process.Kill(), zombie.Wait()) })
		if err := g.Add(zombie.Process.Pid); err != nil {
			t.Error(err)
		}
		apply(t, g, cgroupfs.Resources{RTRuntime: p[int64](20000)})
		if err := errors.Join(g.Kill(short(t)), g.Delete(short(t))); err != nil {
			t.Fatal(err)
		}
	}
}

func host(t *testing.T) *cgroupfs.Layout {
	t.Helper()
	l, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	return l
}
