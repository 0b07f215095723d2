package cgroupfs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{First: helper}) }

func layoutOf(t testing.TB, name string) *cgroupfs.Layout {
	t.Helper()
	mounts, err := os.ReadFile(filepath.Join("testdata", "layout", name+".mountinfo"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(filepath.Join("testdata", "layout", name+".cgroup"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := cgroupfs.ParseLayout(mounts, own)
	if err != nil {
		t.Fatal(err)
	}
	// What Host reads beside the two files.
	if data, err := os.ReadFile(filepath.Join("testdata", "layout", name+".controllers")); err == nil {
		for i := range l.Hierarchies {
			if h := &l.Hierarchies[i]; h.V2 {
				h.Available = strings.Fields(string(data))
			}
		}
	}
	return l
}

func TestLayoutGolden(t *testing.T) {
	golden.Only(t, "testdata/layout/*.golden")
	for _, name := range []string{"hybrid", "v1", "v2", "namespace"} {
		l := layoutOf(t, name)
		var b strings.Builder
		fmt.Fprintf(&b, "mode %s\n", l.Mode())
		for _, h := range l.Hierarchies {
			fmt.Fprintf(&b, "%q v2=%t controllers %q at %q root %q own %q\n", h.Name, h.V2, h.Controllers, h.Mountpoint, h.Root,
				h.Own)
		}
		golden.Compare(t, filepath.Join("testdata", "layout", name+".golden"), b.String())
	}
}

func TestLayoutRefuses(t *testing.T) {
	for want, in := range map[string][2]string{
		"no separator":       {"1 2 3", ""},
		"too few fields":     {"1 2 3 - cgroup2", ""},
		"is not absolute":    {"1 2 3 / x rw - cgroup2 c rw", ""},
		"number:controllers": {"", "nonsense"},
	} {
		if _, err := cgroupfs.ParseLayout([]byte(in[0]), []byte(in[1])); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
	if l, err := cgroupfs.ParseLayout(nil, nil); err != nil || l.Mode() != cgroupfs.None {
		t.Errorf("nothing mounted: %v %v", l, err)
	}
}

func FuzzParseLayout(f *testing.F) {
	seeds, err := filepath.Glob("testdata/layout/*.mountinfo")
	if err != nil || len(seeds) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, s := range seeds {
		mounts, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		own, err := os.ReadFile(strings.TrimSuffix(s, "mountinfo") + "cgroup")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(mounts, own)
	}
	f.Fuzz(func(t *testing.T, mounts, own []byte) {
		l, err := cgroupfs.ParseLayout(mounts, own)
		if (l == nil) == (err == nil) {
			t.Fatalf("%v and %v", l, err)
		}
		if err != nil {
			return
		}
		for _, h := range l.Hierarchies {
			if !filepath.IsAbs(h.Mountpoint) || h.V2 == (h.Name != "") {
				t.Errorf("%+v", h)
			}
		}
	})
}

func p[T any](v T) *T { return &v }

// everything is resources with a value for each property that both versions have.
func everything() cgroupfs.Resources {
	return cgroupfs.Resources{
		Memory: p[int64](1 << 20), MemoryReservation: p[int64](1 << 19), MemorySwap: p[int64](3 << 20),
		DisableOOMKiller: p(false), UseHierarchy: p(true),
		CPUShares: p[uint64](512), CPUQuota: p[int64](50000), CPUPeriod: p[uint64](100000), CPUBurst: p[uint64](1000),
		CPUIdle: p[int64](0),
		Cpus:    "0-1", Mems: "0", Pids: p[int64](64), IOWeight: p[uint16](100),
		IODevices: []cgroupfs.IODevice{
			{Major: 8, Minor: 0, Weight: p[uint16](1000), ReadBps: p[uint64](1 << 20), WriteBps: p[uint64](1 << 21),
				ReadIOPS: p[uint64](100), WriteIOPS: p[uint64](0)},
			{Major: 259, Minor: 1048575, Weight: p[uint16](10)},
		},
		Hugepages: []cgroupfs.Hugepage{{PageSize: "2MB", Limit: 4 << 20}, {PageSize: "1GB"}},
		RDMA: []cgroupfs.RDMA{{Device: "mlx5_0", Handles: p[uint32](3), Objects: p[uint32](1000)},
			{Device: "rxe3", Objects: p[uint32](0)}, {Device: "none"}},
	}
}

func TestPlanGolden(t *testing.T) {
	golden.Only(t, "testdata/plan/*")
	full := everything()
	layouts := map[string]*cgroupfs.Layout{"v1": layoutOf(t, "v1"), "hybrid": layoutOf(t, "hybrid"),
		"v2": layoutOf(t, "v2")}
	for name, r := range map[string]*cgroupfs.Resources{
		"full": &full,
		"unlimited": {Memory: p[int64](-1), MemorySwap: p[int64](-1), MemoryReservation: p[int64](-1), CPUQuota: p[int64](-1),
			Pids: p[int64](-1)},
		"zero": {Memory: p[int64](0), MemorySwap: p[int64](0), Pids: p[int64](0), CPUShares: p[uint64](0)},
		"devices": {Devices: []cgroupfs.DeviceRule{
			{Type: "a", Access: "rwm"}, {Allow: true, Type: "c", Major: p[int64](1), Minor: p[int64](3), Access: "rwm"},
			{Allow: true, Type: "b", Access: "m"},
		}},
		"realtime":   {RTPeriod: p[uint64](1000000), RTRuntime: p[int64](1000)},
		"oom":        {DisableOOMKiller: p(true)},
		"swappiness": {Swappiness: p[uint64](10)},
		"kernel":     {KernelMemory: p[int64](1 << 20)},
		"tcp":        {KernelMemoryTCP: p[int64](1 << 20)},
		"flat":       {UseHierarchy: p(false)},
		"leaf":       {IOLeafWeight: p[uint16](10)},
		"leafdevice": {IODevices: []cgroupfs.IODevice{{Major: 8, LeafWeight: p[uint16](10)}}},
		"class":      {NetClass: p[uint32](0x100001)},
		"priorities": {NetPriorities: []cgroupfs.NetPriority{{Interface: "eth0", Priority: 5}, {Interface: "lo"}}},
		"swaponly":   {MemorySwap: p[int64](1 << 20)},
		"misc":       {Misc: []cgroupfs.Misc{{Name: "sev", Max: 4}, {Name: "sev_es", Max: -1}}},
		"dmem": {DMem: []cgroupfs.DMem{{Region: "drm/0000:03:00.0/vram0", Max: p[int64](1 << 30),
			Low: p[int64](1 << 20), Min: p[int64](-1)}, {Region: "none"}}},
		"newer": {Unified: []cgroupfs.Unified{{File: "io.max", Value: "8:0 rbps=1\n8:16 rbps=2\n"},
			{File: "cgroup.max.depth", Value: "3"}}},
		"unified": {Unified: []cgroupfs.Unified{{File: "memory.high", Value: "1000000"}}},
		"nothing": {CheckMemory: true},
	} {
		for mode, layout := range layouts {
			writes, err := cgroupfs.Plan(layout, r)
			var b strings.Builder
			for _, w := range writes {
				fmt.Fprintln(&b, w)
			}
			if err != nil {
				fmt.Fprintln(&b, "error:", err)
				if u := new(cgroupfs.UnsupportedError); !errors.As(err, &u) && !errors.Is(err, unix.EINVAL) {
					t.Errorf("%s on %s: %v is neither an UnsupportedError nor EINVAL", name, mode, err)
				}
			}
			golden.Compare(t, filepath.Join("testdata", "plan", name+"."+mode+".txt"), b.String())
		}
	}
}

// TestNoLimitOfTasks: what a host without the controller has anyway is no error there, and needs no write.
func TestNoLimitOfTasks(t *testing.T) {
	without := &cgroupfs.Layout{Hierarchies: []cgroupfs.Hierarchy{{Name: "memory", Controllers: []string{"memory"}}}}
	if writes, err := cgroupfs.Plan(without, &cgroupfs.Resources{Pids: p[int64](-1)}); err != nil || len(writes) > 0 {
		t.Errorf("no limit: %v, %v", writes, err)
	}
	_, err := cgroupfs.Plan(without, &cgroupfs.Resources{Pids: p[int64](5)})
	if _, is := errors.AsType[*cgroupfs.UnsupportedError](err); !is {
		t.Errorf("a limit: %v", err)
	}
}

// TestPlanRefuses: values that no kernel takes are EINVAL before anything is written, on every kind of host.
func TestPlanRefuses(t *testing.T) {
	for want, r := range map[string]cgroupfs.Resources{
		"5 is below memory alone of 10": {Memory: p[int64](10), MemorySwap: p[int64](5)},
		"5 is below memory alone of -1": {Memory: p[int64](-1), MemorySwap: p[int64](5)},
		"memory reservation: -2":        {MemoryReservation: p[int64](-2)},
		"swappiness: 101":               {Swappiness: p[uint64](101)},
		"cpu idle: 2":                   {CPUIdle: p[int64](2)},
		"cpu burst: 6 is more than":     {CPUQuota: p[int64](5), CPUBurst: p[uint64](6)},
		"pids: -2":                      {Pids: p[int64](-2)},
		"io weight: 0":                  {IOWeight: p[uint16](0)},
		"io leaf weight: 1001":          {IOLeafWeight: p[uint16](1001)},
		"io weight of device 8:1: 1001": {IODevices: []cgroupfs.IODevice{{Major: 8, Minor: 1, Weight: p[uint16](1001)}}},
		"io device 8:1: stands twice":   {IODevices: []cgroupfs.IODevice{{Major: 8, Minor: 1}, {Major: 8, Minor: 1}}},
		`rdma device: "a b"`:            {RDMA: []cgroupfs.RDMA{{Device: "a b", Handles: p[uint32](1)}}},
	} {
		for _, mode := range []string{"v1", "hybrid", "v2"} {
			if _, err := cgroupfs.Plan(layoutOf(t, mode), &r); !errors.Is(err, unix.EINVAL) ||
				!strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", mode, err, want)
			}
		}
	}
	for want, r := range map[string]cgroupfs.Resources{
		"misc resource: \"a\\nb\"": {Misc: []cgroupfs.Misc{{Name: "a\nb"}}},
		"misc resource sev: -2":    {Misc: []cgroupfs.Misc{{Name: "sev", Max: -2}}},
		`dmem region: ""`:          {DMem: []cgroupfs.DMem{{Max: p[int64](1)}}},
		"dmem.low of r: -3":        {DMem: []cgroupfs.DMem{{Region: "r", Low: p[int64](-3)}}},
		`network interface: "a/b"`: {NetPriorities: []cgroupfs.NetPriority{{Interface: "a/b"}}},
		"at most 15 bytes":         {NetPriorities: []cgroupfs.NetPriority{{Interface: "abcdefghijklmnop"}}},
	} {
		if _, err := cgroupfs.Plan(layoutOf(t, "v1"), &r); !errors.Is(err, unix.EINVAL) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for _, size := range []string{"", "MB", "2", "2mb", "02MB", "2MB/../x", "../2MB", "2MB\x00", "-2MB", "2 MB", "2MBMB",
		"9999999999999MB"} {
		if _, err := cgroupfs.Plan(layoutOf(t, "v1"),
			&cgroupfs.Resources{Hugepages: []cgroupfs.Hugepage{{PageSize: size}}}); !errors.Is(err, unix.EINVAL) {
			t.Errorf("page size %q: %v", size, err)
		}
	}
	for _, file := range []string{"../memory.max", "memory/max", "", "cgroup\x00.x", ".memory", "memory"} {
		if _, err := cgroupfs.Plan(layoutOf(t, "v2"),
			&cgroupfs.Resources{Unified: []cgroupfs.Unified{{File: file}}}); !errors.Is(err, unix.EINVAL) {
			t.Errorf("unified file %q: %v", file, err)
		}
	}
}

// TestPlanWithoutDevices: on v1 alone rules need the controller; elsewhere they are a program, and are checked all the
// same.
func TestPlanWithoutDevices(t *testing.T) {
	rules := cgroupfs.Resources{Devices: []cgroupfs.DeviceRule{{Type: "a"}}}
	wrong := cgroupfs.Resources{Devices: []cgroupfs.DeviceRule{{Type: "x"}}}
	v1 := &cgroupfs.Layout{Hierarchies: []cgroupfs.Hierarchy{{Name: "memory", Controllers: []string{"memory"}}}}
	if u := new(cgroupfs.UnsupportedError); !errors.As(second(cgroupfs.Plan(v1, &rules)), &u) ||
		!strings.Contains(u.Why, "controller devices") {
		t.Errorf("%v", second(cgroupfs.Plan(v1, &rules)))
	}
	for _, mode := range []string{"hybrid", "v2"} {
		if writes, err := cgroupfs.Plan(layoutOf(t, mode), &rules); err != nil || len(writes) > 0 {
			t.Errorf("%s: %v %v", mode, writes, err)
		}
		if second(cgroupfs.Plan(layoutOf(t, mode), &wrong)) == nil {
			t.Errorf("%s: a rule of type x was planned", mode)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestWeight(t *testing.T) {
	for shares, want := range map[uint64]uint64{0: 1, 2: 1, 1024: 100, 262144: 10000, 1 << 40: 10000} {
		if got := cgroupfs.Weight(shares); got != want {
			t.Errorf("%d shares: weight %d, want %d", shares, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint64Range(0, 300000).Draw(t, "a"), rapid.Uint64Range(0, 300000).Draw(t, "b")
		wa, wb := cgroupfs.Weight(a), cgroupfs.Weight(b)
		if wa < 1 || wa > 10000 || a < b && wa > wb {
			t.Fatalf("weights %d of %d, %d of %d", wa, a, wb, b)
		}
	})
}

// Properties of any plan: the same twice, no file in two hierarchies' places, memory before memory and swap, the period
// before the quota.
func TestPlanProperties(t *testing.T) {
	layouts := []*cgroupfs.Layout{layoutOf(t, "v1"), layoutOf(t, "hybrid"), layoutOf(t, "v2")}
	rapid.Check(t, func(t *rapid.T) {
		r := draw(t)
		layout := rapid.SampledFrom(layouts).Draw(t, "layout")
		a, err := cgroupfs.Plan(layout, &r)
		b, err2 := cgroupfs.Plan(layout, &r)
		if (err == nil) != (err2 == nil) || !cmp.Equal(a, b) {
			t.Fatal("a plan differs from itself")
		}
		at, many := map[string]int{}, map[string]bool{"devices": true, "blkio": true, "io": true, "rdma": true}
		for i, w := range a {
			if strings.Contains(w.File, "/") || !strings.HasPrefix(w.File, w.Controller+".") {
				t.Fatalf("%s is no file of %s", w.File, w.Controller)
			}
			if _, twice := at[w.File]; twice && !many[w.Controller] {
				t.Fatalf("%s is written twice", w.File)
			}
			at[w.File] = i + 1
		}
		for _, order := range [][2]string{{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"},
			{"cpu.cfs_period_us", "cpu.cfs_quota_us"}} {
			if first, then := at[order[0]], at[order[1]]; first > 0 && then > 0 && first > then {
				t.Fatalf("%s is written before %s", order[1], order[0])
			}
		}
	})
}

func draw(t *rapid.T) cgroupfs.Resources {
	maybe := func(name string, lo, hi int64) *int64 {
		if !rapid.Bool().Draw(t, "has "+name) {
			return nil
		}
		return p(rapid.Int64Range(lo, hi).Draw(t, name))
	}
	r := cgroupfs.Resources{
		Memory: maybe("memory", -1, 1<<40), MemorySwap: maybe("swap", -1, 1<<41),
		MemoryReservation: maybe("reservation", -1, 1<<40),
		CPUQuota:          maybe("quota", -1, 1<<30), CPUIdle: maybe("idle", 0, 1), Pids: maybe("pids", -1, 1<<20),
	}
	if n := maybe("period", 1000, 1000000); n != nil {
		r.CPUPeriod = p(uint64(*n))
	}
	if n := maybe("shares", 2, 262144); n != nil {
		r.CPUShares = p(uint64(*n))
	}
	if n := maybe("burst", 0, 1<<21); n != nil {
		r.CPUBurst = p(uint64(*n))
	}
	if n := maybe("io weight", 1, 1000); n != nil {
		r.IOWeight = p(uint16(*n))
	}
	for minor := range rapid.Uint32Range(0, 3).Draw(t, "io devices") {
		d := cgroupfs.IODevice{Major: 8, Minor: minor}
		for i, into := range []**uint64{&d.ReadBps, &d.WriteBps, &d.ReadIOPS, &d.WriteIOPS} {
			if n := maybe([]string{"rbps", "wbps", "riops", "wiops"}[i], 0, 1<<40); n != nil {
				*into = p(uint64(*n))
			}
		}
		r.IODevices = append(r.IODevices, d)
	}
	if n := maybe("huge pages", 0, 1<<40); n != nil {
		r.Hugepages = []cgroupfs.Hugepage{{PageSize: rapid.SampledFrom([]string{"2MB", "1GB", "64KB"}).Draw(t, "page size"),
			Limit: uint64(*n)}}
	}
	if n := maybe("handles", 0, 1<<31); n != nil {
		r.RDMA = []cgroupfs.RDMA{{Device: "mlx5_0", Handles: p(uint32(*n))}}
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "rules") {
		r.Devices = append(r.Devices, cgroupfs.DeviceRule{Allow: i%2 == 0, Type: "c", Major: maybe("major", 0, 300),
			Access: "rw"})
	}
	return r
}
