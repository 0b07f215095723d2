package cgroupfs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/testenv"
)

// helper is this test binary in another role, told by its environment.
func helper() {
	switch os.Getenv("CGROUPFS_TEST") {
	case "wait": // until standard input ends, then do what the next words say
		var b [1]byte
		_, _ = os.Stdin.Read(b[:])
		act(os.Args[1:])
		os.Exit(0)
	case "v2":
		os.Exit(insideV2())
	}
}

func act(args []string) {
	switch {
	case len(args) == 0:
	case args[0] == "fork":
		for range 20 {
			if err := exec.Command("/bin/sleep", "30").Start(); err != nil {
				os.Exit(11)
			}
		}
	case args[0] == "hog":
		var all [][]byte
		for range 256 {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = 1
			}
			all = append(all, b)
		}
		fmt.Fprintln(os.Stderr, len(all))
	case args[0] == "sleep":
		time.Sleep(time.Hour)
	}
}

// process is a helper that waits for its word.
type process struct {
	*exec.Cmd
	in  *os.File
	out chan error
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = []string{"CGROUPFS_TEST=wait", "GOMAXPROCS=1"}
	cmd.Stdin = r
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	p := &process{cmd, w, make(chan error, 1)}
	go func() { p.out <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = w.Close()
		_ = cmd.Process.Kill()
	})
	return p
}

func (p *process) tell() { _, _ = p.in.WriteString("x") }

func create(t *testing.T, name string) *cgroupfs.Group {
	t.Helper()
	testenv.Root(t)
	l, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	g, err := cgroupfs.Create(l, testenv.CgroupParent()+"/"+name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(g.Kill(ctx), g.Delete(ctx)); err != nil {
			t.Error(err)
		}
		for h, d := range g.Dirs() {
			if _, err := os.Stat(d); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("left in %q: %s %v", h, d, err)
			}
		}
		g.Close()
	})
	return g
}

func apply(t *testing.T, g *cgroupfs.Group, r cgroupfs.Resources) {
	t.Helper()
	l, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	writes, err := cgroupfs.Plan(l, &r)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Apply(writes); err != nil {
		t.Fatal(err)
	}
}

func TestAddAndProcs(t *testing.T) {
	g := create(t, "add")
	p := start(t, "sleep")
	if err := g.Add(p.Process.Pid); err != nil {
		t.Fatal(err)
	}
	pids, err := g.Procs()
	if err != nil || !slices.Equal(pids, []int{p.Process.Pid}) {
		t.Errorf("processes %v %v, want %d", pids, err, p.Process.Pid)
	}
	own, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(own)) {
		if !strings.HasSuffix(strings.TrimSpace(line), ":"+g.Path()) {
			t.Errorf("not in the group: %s", line)
		}
	}
	if err := g.Add(1 << 30); err == nil {
		t.Error("a process that is not there was added")
	}
	// Somebody else's group is not to be taken.
	l, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	if other, err := cgroupfs.Create(l, g.Path()); !errors.Is(err, unix.EBUSY) {
		if err == nil {
			other.Close()
		}
		t.Errorf("create a group that has processes: %v", err)
	}
}

func TestPidsLimitStopsForks(t *testing.T) {
	g := create(t, "pids")
	apply(t, g, cgroupfs.Resources{Pids: p[int64](12)})
	c := start(t, "fork")
	if err := g.Add(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	c.tell()
	var exit *exec.ExitError
	if err := <-c.out; !errors.As(err, &exit) || exit.ExitCode() != 11 && exit.ExitCode() != 2 {
		t.Errorf("twenty forks under a limit of twelve tasks: %v", err)
	}
}

func TestMemoryLimitKillsAndIsReported(t *testing.T) {
	g := create(t, "memory")
	apply(t, g, cgroupfs.Resources{Memory: p[int64](32 << 20), MemorySwap: p[int64](32 << 20)})
	if killed, err := g.OOMKilled(); err != nil || killed {
		t.Fatalf("killed before anything ran: %t %v", killed, err)
	}
	c := start(t, "hog")
	if err := g.Add(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	c.tell()
	if err := <-c.out; err == nil {
		t.Error("256 MiB fitted into 32")
	}
	if killed, err := g.OOMKilled(); err != nil || !killed {
		t.Errorf("killed for want of memory: %t %v", killed, err)
	}
}

func TestFreezeStopsProgress(t *testing.T) {
	g := create(t, "freeze")
	cmd := exec.Command("/bin/sh", "-c", "while :; do :; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	if err := g.Add(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if err := g.Freeze(ctx); err != nil {
		t.Fatal(err)
	}
	if frozen, err := g.Frozen(); err != nil || !frozen {
		t.Errorf("frozen: %t %v", frozen, err)
	}
	before := cpuTime(t, cmd.Process.Pid)
	time.Sleep(50 * time.Millisecond)
	if after := cpuTime(t, cmd.Process.Pid); after != before {
		t.Errorf("a frozen process went on: %s, then %s", before, after)
	}
	if err := g.Thaw(ctx); err != nil {
		t.Fatal(err)
	}
	if frozen, err := g.Frozen(); err != nil || frozen {
		t.Errorf("frozen after the thaw: %t %v", frozen, err)
	}
	// Kill ends a frozen group too.
	if err := errors.Join(g.Freeze(ctx), g.Kill(ctx)); err != nil {
		t.Error(err)
	}
}

func cpuTime(t *testing.T, pid int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	return fields[11] + "+" + fields[12]
}

func TestDeleteTakesGroupsBelow(t *testing.T) {
	g := create(t, "below")
	for _, d := range g.Dirs() {
		if err := os.MkdirAll(filepath.Join(d, "a", "b"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// The cleanup deletes, and looks.
}

func TestSavedAndLoaded(t *testing.T) {
	g := create(t, "saved")
	l, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	again, err := cgroupfs.Load(l, g.Saved())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if len(again.Dirs()) != len(g.Dirs()) {
		t.Errorf("loaded %v of %v", again.Dirs(), g.Dirs())
	}
	if err := again.Delete(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := again.Delete(context.Background()); err != nil {
		t.Errorf("delete what is gone: %v", err)
	}
	gone, err := cgroupfs.Load(l, g.Saved())
	if err != nil || len(gone.Dirs()) > 0 {
		t.Errorf("load what is gone: %v", err)
	}
	gone.Close()
}

func TestBadPaths(t *testing.T) {
	l, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "/", "a", "/a/../b", "/a/./b", "/a/", "//a", "/../x", "/" + strings.Repeat("x", 300),
		"/a\x00b"} {
		if g, err := cgroupfs.Create(l, path); err == nil {
			g.Close()
			t.Errorf("created %q", path)
		}
	}
	if _, err := cgroupfs.Create(&cgroupfs.Layout{}, "/x"); err == nil {
		t.Error("created without any hierarchy")
	}
	if _, err := cgroupfs.Create(&cgroupfs.Layout{Hierarchies: []cgroupfs.Hierarchy{{V2: true, Mountpoint: "/tmp"}}},
		"/x"); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a mount point that is no cgroup file system: %v", err)
	}
}

func TestApplyNamesTheFile(t *testing.T) {
	g := create(t, "apply")
	for want, w := range map[string]cgroupfs.Write{
		"invalid argument":    {Controller: "pids", File: "pids.max", Value: "many"},
		"no hierarchy":        {Controller: "none_such", File: "none_such.limit", Value: "1"},
		"is not enabled here": {Controller: "memory", File: "memory.no_such_file", Value: "1"},
	} {
		err := g.Apply([]cgroupfs.Write{w})
		if err == nil || w.Controller != "none_such" && (!strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), w.File)) {
			t.Errorf("%v: %v, want %q", w, err, want)
		}
	}
}

// A failed create leaves nothing: the group is taken in one hierarchy, so it may be made in none.
func TestFailedCreateLeavesNothing(t *testing.T) {
	g := create(t, "holder")
	dirs := g.Dirs()
	l, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	last := l.Hierarchies[len(l.Hierarchies)-1]
	child := filepath.Join(dirs[last.Name], "taken")
	if err := os.Mkdir(child, 0o755); err != nil {
		t.Fatal(err)
	}
	c := start(t, "sleep")
	if err := os.WriteFile(filepath.Join(child, "cgroup.procs"), []byte(strconv.Itoa(c.Process.Pid)), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := cgroupfs.Create(l, g.Path()+"/taken"); !errors.Is(err, unix.EBUSY) {
		t.Errorf("%v, want EBUSY", err)
	}
	for name, d := range dirs {
		if name == last.Name {
			continue
		}
		if _, err := os.Stat(filepath.Join(d, "taken")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("left in %q: %v", name, err)
		}
	}
}

func ExamplePlan() {
	memory, quota, period := int64(64<<20), int64(50000), uint64(100000)
	r := cgroupfs.Resources{Memory: &memory, CPUQuota: &quota, CPUPeriod: &period}
	for _, layout := range []*cgroupfs.Layout{
		{Hierarchies: []cgroupfs.Hierarchy{{Controllers: []string{"memory", "cpu"}}}},
		{Hierarchies: []cgroupfs.Hierarchy{{V2: true}}},
	} {
		writes, err := cgroupfs.Plan(layout, &r)
		if err != nil {
			fmt.Println(err)
		}
		fmt.Println(layout.Mode())
		for _, w := range writes {
			fmt.Println(" ", w)
		}
	}
	// Output:
	// v1
	//   memory memory.limit_in_bytes = "67108864"
	//   cpu cpu.cfs_period_us = "100000"
	//   cpu cpu.cfs_quota_us = "50000"
	// v2
	//   memory memory.max = "67108864"
	//   cpu cpu.max = "50000 100000"
}
