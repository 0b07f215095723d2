package cgroupfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeV2 is a v2 group that is a plain directory with some files in it: for what this package does itself with files
// that the host may not have. What the kernel does with them is for the tests on real groups.
func fakeV2(t *testing.T, files map[string]string) (*Group, string) {
	t.Helper()
	path := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(path, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	layout := &Layout{Hierarchies: []Hierarchy{{V2: true, Mountpoint: path, Root: "/"}}}
	g := &Group{layout: layout, path: "/fake"}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	g.members = []member{{h: &layout.Hierarchies[0], dir: dir{fd, path}}}
	t.Cleanup(g.Close)
	return g, path
}

func content(t *testing.T, path, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func ptr[T any](v T) *T { return &v }

// TestCheckMemory (CG10): a limit below what is used is refused before anything is written, and only if that was asked
// for.
func TestCheckMemory(t *testing.T) {
	g, path := fakeV2(t, map[string]string{"memory.current": "1000\n", "memory.swap.current": "500\n",
		"memory.max": "max\n", "memory.swap.max": "max\n", "pids.max": "max\n"})
	for _, c := range []struct {
		change      Resources
		words, want string
	}{
		{Resources{CheckMemory: true, Memory: ptr[int64](999), Pids: ptr[int64](5)}, "rejecting memory limit",
			": 999 is below the 1000 bytes that are used"},
		{Resources{CheckMemory: true, Memory: ptr[int64](1000), MemorySwap: ptr[int64](1499), Pids: ptr[int64](5)},
			"rejecting memory+swap limit", ": 1499 is below the 1500 bytes that are used"},
	} {
		_, err := g.Update(&Resources{}, &c.change)
		if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%v, want %s", err, c.want)
		}
		if words := c.words; !strings.HasPrefix(err.Error(), words) {
			t.Errorf("%v, want runc's words %q", err, words)
		}
		if got := content(t, path, "pids.max"); got != "max\n" {
			t.Errorf("pids.max was written: %q", got)
		}
	}
	for _, change := range []Resources{
		{Memory: ptr[int64](1)}, {CheckMemory: true, Pids: ptr[int64](5)}, {CheckMemory: true, Memory: ptr[int64](-1),
			MemorySwap: ptr[int64](-1)},
		{CheckMemory: true, Memory: ptr[int64](1000), MemorySwap: ptr[int64](1500)},
	} {
		if _, err := g.Update(&Resources{}, &change); err != nil {
			t.Errorf("%+v: %v", change, err)
		}
	}
	// Stored with the container, it holds for later updates that do not say it again.
	if _, err := g.Update(&Resources{CheckMemory: true}, &Resources{Memory: ptr[int64](7)}); !errors.Is(err, unix.EBUSY) {
		t.Errorf("%v", err)
	}
}

// TestUpdateUndoesOnV2: every file that was written is as it was when a later one cannot be written.
func TestUpdateUndoesOnV2(t *testing.T) {
	files := map[string]string{
		"memory.max": "max", "memory.swap.max": "0", "memory.low": "0", "cpu.max": "max 100000", "cpu.max.burst": "0",
		"cpu.idle": "0", "cpu.weight": "100", "cpuset.cpus": "0-1", "pids.max": "77", "io.weight": "default 100",
	}
	g, path := fakeV2(t, files)
	_, err := g.Update(&Resources{}, &Resources{
		Memory: ptr[int64](1 << 20), MemorySwap: ptr[int64](-1), MemoryReservation: ptr[int64](5), CPUQuota: ptr[int64](5000),
		CPUBurst: ptr[uint64](10), CPUIdle: ptr[int64](1), Cpus: "1", Pids: ptr[int64](3),
		IOWeight: ptr[uint16](100), Hugepages: []Hugepage{{PageSize: "2MB", Limit: 1}},
	})
	if !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), "hugetlb.2MB.max") ||
		!strings.HasSuffix(err.Error(), "; the limits are unchanged") {
		t.Errorf("%v", err)
	}
	for file, want := range files {
		// A plain file keeps what was longer; a control file is replaced by each write.
		if got := content(t, path, file); !strings.HasPrefix(got, want) {
			t.Errorf("%s is %q, was %q", file, got, want)
		}
	}
}

// TestElse: what a kernel does not have is written to the file that it has, or not at all.
func TestElse(t *testing.T) {
	g, path := fakeV2(t, map[string]string{"io.weight": "", "memory.max": ""})
	err := g.Apply([]Write{
		{Controller: "io", File: "io.bfq.weight", Value: "100", Else: &Write{Controller: "io", File: "io.weight",
			Value: "910"}},
		{Controller: "memory", File: "memory.swap.max", Value: "max", Else: &Write{}},
		{Controller: "memory", File: "memory.max", Value: "5", Else: &Write{Controller: "memory", File: "memory.high",
			Value: "6"}},
	})
	if err != nil || content(t, path, "io.weight") != "910" || content(t, path, "memory.max") != "5" {
		t.Errorf("%v: %q %q", err, content(t, path, "io.weight"), content(t, path, "memory.max"))
	}
	if err := g.Apply([]Write{{Controller: "io", File: "io.a", Value: "1",
		Else: &Write{Controller: "io", File: "io.b",
			Value: "1"}}}); !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), "io.b") {
		t.Errorf("%v", err)
	}
}

// TestRuleWithoutAPlace: rules that nothing can enforce are an error, and no rules are none.
func TestRuleWithoutAPlace(t *testing.T) {
	g := &Group{layout: &Layout{Hierarchies: []Hierarchy{{Name: "memory", Controllers: []string{"memory"}}}}, path: "/x"}
	if u := new(UnsupportedError); !errors.As(g.Rule([]DeviceRule{{Type: "a"}}), &u) {
		t.Errorf("%v", g.Rule([]DeviceRule{{Type: "a"}}))
	}
	if err := g.Rule(nil); err != nil {
		t.Error(err)
	}
}
