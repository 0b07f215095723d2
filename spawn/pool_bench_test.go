package spawn_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/nsinit"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// BenchmarkPool compares the time that a start takes, until the program is executed, with a child that is made for it
// (cold) and with one that waits in a full pool (pooled). The two take turns, so that a slow moment of the host meets
// both. Of each it reports the median and the tenth percentile in ms, and the memory of a child that waits in KiB (Pss
// of proc(5)).
func BenchmarkPool(b *testing.B) {
	testenv.Root(b)
	for _, c := range []struct {
		name string
		edit func(b *testing.B, c *spawn.Config)
	}{
		{"small", func(_ *testing.B, c *spawn.Config) { c.Compile = nsinit.Compile }},
		{"small-group", func(b *testing.B, c *spawn.Config) { c.Compile, c.Cgroup = nsinit.Compile, benchGroup(b) }},
		{"whole", func(*testing.B, *spawn.Config) {}},
		{"whole-user", func(_ *testing.B, c *spawn.Config) {
			c.Namespaces = append(c.Namespaces, spawn.Namespace{Kind: container.NSUser})
			c.UIDMappings = []spawn.IDMap{{Size: 1000}}
			c.GIDMappings = c.UIDMappings
			c.Container.Root.Readonly = false
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			cfg := function("/bin/true")
			c.edit(b, &cfg)
			template := cfg
			waiting(b, &template)
			pool, err := spawn.NewPool(spawn.PoolConfig{Template: template, Size: 2})
			if err != nil {
				b.Fatal(err)
			}
			defer pool.Close()
			starts := map[string]func(context.Context, spawn.Config) (*spawn.Process, error){
				"cold": spawn.Start, "pooled": pool.Start,
			}
			times := map[string][]time.Duration{}
			for b.Loop() {
				for name, start := range starts {
					fill(b, pool)
					from := time.Now()
					p, err := start(b.Context(), cfg)
					times[name] = append(times[name], time.Since(from))
					if err != nil {
						b.Fatal(err)
					}
					if p.Warm() != (name == "pooled") {
						b.Fatalf("%s: the process had waited: %t", name, p.Warm())
					}
					over(b, p)
				}
			}
			b.ReportMetric(0, "ns/op")
			for name, all := range times {
				slices.Sort(all)
				b.ReportMetric(all[len(all)/2].Seconds()*1000, name+"-ms")
				b.ReportMetric(all[len(all)/10].Seconds()*1000, name+"-p10-ms")
			}
			b.ReportMetric(float64(memoryOf(b, fill(b, pool)[0])), "KiB")
		})
	}
}

// benchGroup makes a control group that is removed with the benchmark.
func benchGroup(b *testing.B) *cgroupfs.Group {
	b.Helper()
	layout, err := cgroupfs.Host()
	if err != nil {
		b.Fatal(err)
	}
	group, err := cgroupfs.Create(layout, testenv.CgroupParent()+"/pool")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := group.Delete(context.Background()); err != nil {
			b.Error(err)
		}
		group.Close()
	})
	return group
}

// function is a configuration as a function runner has it: new namespaces, and mounts.
func function(args ...string) spawn.Config {
	cfg := spawn.Config{}
	for _, k := range []string{
		container.NSPid, container.NSMount, container.NSUTS, container.NSIPC, container.NSNetwork,
	} {
		cfg.Namespaces = append(cfg.Namespaces, spawn.Namespace{Kind: k})
	}
	cfg.Container = spawn.Container{
		ID: "function", Hostname: "function", Root: container.Root{Path: "/", Readonly: true},
		Mounts: []container.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"}, {Destination: "/dev", Type: "tmpfs", Source: "tmpfs"},
		},
		Process: container.Process{Args: args, Env: []string{"PATH=/usr/bin:/bin"}, Cwd: "/"},
	}
	return cfg
}

// fill waits until the pool is full and all members wait for HELLO. They are all children of this process, and fill
// returns their numbers.
func fill(tb testing.TB, pool *spawn.Pool) []int {
	tb.Helper()
	if err := pool.Fill(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	pids := children(tb)
	for _, pid := range pids {
		eventually(tb, fmt.Sprintf("process %d waits for HELLO", pid), func() bool {
			threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
			return slices.ContainsFunc(threads, receives)
		})
	}
	return pids
}

// receives reports whether the thread with this file in procfs waits for a message.
func receives(file string) bool {
	data, _ := os.ReadFile(file)
	number, _, _ := strings.Cut(string(data), " ")
	n, err := strconv.Atoi(number)
	return err == nil && (n == unix.SYS_RECVMSG || n == unix.SYS_RECVFROM || n == unix.SYS_PPOLL)
}

// eventually waits until something holds. How long it takes is not tested.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("in vain: %s", what)
		}
	}
}

// over waits for the end of a process.
func over(tb testing.TB, p *spawn.Process) {
	tb.Helper()
	status, err := p.Wait(tb.Context())
	if err != nil || status.ExitStatus() != 0 {
		tb.Errorf("%v %v", status, err)
	}
	_ = p.Release()
}

// children returns the numbers of this process's children.
func children(tb testing.TB) []int {
	tb.Helper()
	return childrenOf(tb, os.Getpid())
}

func childrenOf(tb testing.TB, pid int) (pids []int) {
	tb.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(lists) == 0 {
		tb.Fatalf("the children of process %d: %d files, %v", pid, len(lists), err)
	}
	for _, list := range lists {
		data, _ := os.ReadFile(list) // the thread may have ended
		for field := range strings.FieldsSeq(string(data)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				tb.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// memoryOf returns the memory of a process in KiB.
func memoryOf(tb testing.TB, pid int) int {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "\nPss:")
	line, _, _ := strings.Cut(rest, "\n")
	kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(line), " kB"))
	if err != nil {
		tb.Fatal(err)
	}
	return kib
}
