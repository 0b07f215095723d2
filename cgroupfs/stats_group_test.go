package cgroupfs_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/testenv"
)

// TestStatsOfAGroup: the numbers are those of what runs in it.
func TestStatsOfAGroup(t *testing.T) {
	g := create(t, "stats")
	apply(t, g, cgroupfs.Resources{Memory: p[int64](64 << 20), Pids: p[int64](20)})
	var before, after cgroupfs.Stats
	if err := g.Stats(&before); err != nil {
		t.Fatal(err)
	}
	if before.CPU.Usage != 0 || before.Pids.Current != 0 || before.Memory.Usage.Limit != 64<<20 ||
		before.Pids.Limit != 20 {
		t.Errorf("empty: %+v", before)
	}
	c := start(t, "fork")
	if err := g.Add(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	c.tell()
	<-c.out // it could not make twenty
	if err := g.Stats(&after); err != nil {
		t.Fatal(err)
	}
	if after.CPU.Usage == 0 || after.Memory.Usage.Max == 0 || len(after.Memory.Stat) == 0 || after.Pids.Current == 0 ||
		after.Pids.LimitHit == 0 || len(after.CPUSet.CPUs) == 0 {
		t.Errorf("after work: %+v", after)
	}
	if err := errors.Join(g.Kill(short(t)), g.Delete(short(t))); err != nil {
		t.Fatal(err)
	}
	if err := g.Stats(&after); !errors.Is(err, unix.ENOENT) {
		t.Errorf("of a group that is gone: %v", err)
	}
}

// TestStatsWithoutGarbage: after the first times nothing is allocated.
func TestStatsWithoutGarbage(t *testing.T) {
	g := create(t, "garbage")
	c := start(t, "sleep")
	if err := g.Add(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	var s cgroupfs.Stats
	read := func() {
		if err := g.Stats(&s); err != nil {
			t.Fatal(err)
		}
	}
	read()
	if n := testing.AllocsPerRun(50, read); n != 0 {
		t.Errorf("%v allocations for each reading", n)
	}
}

// TestNetwork: in a network namespace of its own a process has a loopback interface, with what went over it.
func TestNetwork(t *testing.T) {
	testenv.Root(t)
	cmd := exec.Command("/bin/sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	all, err := cgroupfs.Network(nil, cmd.Process.Pid)
	if err != nil || len(all) == 0 || all[0].Name != "lo" || all[0].RxBytes != 0 {
		t.Errorf("%+v %v", all, err)
	}
	if _, err := cgroupfs.Network(nil, 1<<30); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a process that is not there: %v", err)
	}
}

func ExampleGroup_Stats() {
	layout, err := cgroupfs.Host()
	if err != nil {
		return
	}
	group, err := cgroupfs.Create(layout, testenv.CgroupParent()+"/example-stats")
	if err != nil {
		return // root alone may
	}
	defer group.Close()
	defer group.Delete(context.Background())
	var stats cgroupfs.Stats // kept for the next time
	if err := group.Stats(&stats); err != nil {
		return
	}
	_ = stats.CPU.Usage
}

func BenchmarkStats(b *testing.B) {
	testenv.Root(b)
	l, err := cgroupfs.Host()
	if err != nil {
		b.Fatal(err)
	}
	g, err := cgroupfs.Create(l, testenv.CgroupParent()+"/bench-stats")
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	defer g.Delete(context.Background())
	var s cgroupfs.Stats
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Stats(&s); err != nil {
			b.Fatal(err)
		}
	}
}
