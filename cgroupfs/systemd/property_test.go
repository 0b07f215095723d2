package systemd

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/golden"
)

func hosts(t testing.TB) map[string]Host {
	t.Helper()
	text, err := os.ReadFile("testdata/devices")
	if err != nil {
		t.Fatal(err)
	}
	names := ParseDeviceNames(string(text))
	return map[string]Host{
		"v2-252": {252, true, names}, "v2-241": {241, true, names}, "v1-252": {252, false, names},
	}
}

func lines(all []Property) string {
	var b strings.Builder
	for _, p := range all {
		fmt.Fprintln(&b, p)
	}
	return b.String()
}

func TestBaseGolden(t *testing.T) {
	var b strings.Builder
	for _, name := range []string{"v2-252", "v1-252"} {
		for _, path := range []string{"a-b.slice:p:n", "::a-b.slice", "::top.slice"} {
			u, err := Parse(path, "id", false)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "# %s %s\n%s", name, path, lines(hosts(t)[name].Base(u, "container id", 4711)))
		}
	}
	golden.Compare(t, "testdata/base.txt", b.String())
}

var some = map[string]cgroupfs.Resources{
	"all": {
		Memory: ptr(int64(64 << 20)), MemoryReservation: ptr(int64(32 << 20)), MemorySwap: ptr(int64(96 << 20)),
		CPUShares: ptr(uint64(2048)), CPUQuota: ptr(int64(33_333)), CPUPeriod: ptr(uint64(50_000)), Cpus: "0-3,9", Mems: "0",
		Pids: ptr(int64(100)), IOWeight: ptr(uint16(505)),
	},
	"unlimited": {Memory: ptr(int64(-1)), MemoryReservation: ptr(int64(-1)), MemorySwap: ptr(int64(-1)),
		CPUQuota: ptr(int64(-1)), Pids: ptr(int64(-1))},
	"edges": {Memory: ptr(int64(0)), MemorySwap: ptr(int64(0)), CPUShares: ptr(uint64(2)), CPUQuota: ptr(int64(1000)),
		Pids: ptr(int64(0)), IOWeight: ptr(uint16(1)), Cpus: "0-31:2/8"},
	"idle": {CPUShares: ptr(uint64(1024)), CPUIdle: ptr(int64(1))},
	"unified": {Memory: ptr(int64(1 << 20)), Unified: []cgroupfs.Unified{
		{File: "memory.max", Value: "max"}, {File: "memory.high", Value: "4096\n"}, {File: "memory.min", Value: "1"},
		{File: "memory.low", Value: "2"}, {File: "memory.swap.max", Value: "0"},
		{File: "memory.zswap.max", Value: "5"}, {File: "pids.max", Value: "0"}, {File: "cpu.max", Value: "max 20000"},
		{File: "cpu.weight", Value: "7"}, {File: "cpu.idle", Value: "1"},
		{File: "cpuset.cpus", Value: "1"}, {File: "cpuset.mems", Value: "0-1"}, {File: "io.weight", Value: "default 44"},
		{File: "io.max", Value: "8:0 rbps=1"}, {File: "memory.oom.group", Value: "1"},
	}},
	"devices": {Devices: []cgroupfs.DeviceRule{
		{Allow: false}, {Allow: true, Type: "c", Access: "m"}, {Allow: true, Type: "b", Access: "m"},
		{Allow: true, Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(3)), Access: "wr"},
		{Allow: true, Type: "c", Major: ptr(int64(136)), Access: "rwm"}, {Allow: true, Type: "c", Major: ptr(int64(4242)),
			Access: "rwm"}, {Allow: true, Type: "b", Major: ptr(int64(8)), Minor: ptr(int64(0))},
		{Allow: false, Type: "b", Major: ptr(int64(8)), Minor: ptr(int64(0)), Access: "w"},
		{Allow: true, Type: "c", Minor: ptr(int64(7)), Access: "r"},
	}},
	"alldevices": {Devices: []cgroupfs.DeviceRule{{Allow: false}, {Allow: true},
		{Allow: false, Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(1))}}},
}

func TestPlanGolden(t *testing.T) {
	golden.Only(t, "testdata/plan/*")
	for name, host := range hosts(t) {
		for what, r := range some {
			t.Run(what+"."+name, func(t *testing.T) {
				all, err := host.Plan(&r)
				if err != nil {
					t.Fatal(err)
				}
				golden.Compare(t, "testdata/plan/"+what+"."+name+".txt", lines(all))
			})
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	unified := func(file, value string) cgroupfs.Resources {
		return cgroupfs.Resources{Unified: []cgroupfs.Unified{{File: file, Value: value}}}
	}
	for want, r := range map[string]cgroupfs.Resources{
		"without a smaller limit":       {MemorySwap: ptr(int64(5))},
		"8192":                          {Cpus: "8192"},
		`"3-1" is not a number`:         {Cpus: "3-1"},
		"is an empty list":              {Mems: " , "},
		"is not a stride":               {Cpus: "0-3:4/2"},
		"want 1 to 1000":                {IOWeight: ptr(uint16(1001))},
		"want a number or max":          unified("memory.high", "a lot"),
		"want a quota":                  unified("cpu.max", "1 2 3"),
		"period of 0":                   unified("cpu.max", "1000 0"),
		"want 1 to 10000":               unified("io.weight", "0"),
		"want a, c or b":                {Devices: []cgroupfs.DeviceRule{{Type: "x"}}},
		"cpu quota 9223372036854775807": {CPUQuota: ptr(int64(1<<63 - 1))},
	} {
		all, err := hosts(t)["v2-252"].Plan(&r)
		if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v and %v; want an error with %q", all, err, want)
		}
	}
}

// TestQuotaNeverLess: what systemd is told allows at least what was asked for, and less than a hundredth of a processor
// more.
func TestQuotaNeverLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		quota, period := rapid.Int64Range(1000, 1<<40).Draw(t, "quota"), rapid.Uint64Range(1000, 1_000_000).Draw(t, "period")
		all, err := Host{Version: 252, V2: true}.Plan(&cgroupfs.Resources{CPUQuota: &quota, CPUPeriod: &period})
		if err != nil {
			t.Fatal(err)
		}
		second, asked := all[1].Value.n, float64(quota)*1e6/float64(period)
		if all[1].Name != "CPUQuotaPerSecUSec" || second%quotaStep != 0 || float64(second) < asked-1 ||
			float64(second) >= asked+quotaStep+1 {
			t.Fatalf("%v for %v", all, asked)
		}
	})
}

// TestBitmask against a dumb twin.
func TestBitmask(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfNDistinct(rapid.IntRange(0, maxBit), 1, 20, rapid.ID[int]).Draw(t, "numbers")
		var parts []string
		for _, n := range want {
			parts = append(parts, fmt.Sprint(n))
		}
		mask, err := bitmask(strings.Join(parts, ","))
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for n := range len(mask) * 8 {
			if mask[n/8]>>(n%8)&1 != 0 {
				count++
			}
		}
		for _, n := range want {
			if n/8 >= len(mask) || mask[n/8]>>(n%8)&1 == 0 {
				t.Fatalf("%d is not in %x", n, mask)
			}
		}
		if count != len(want) {
			t.Fatalf("%d bits for %d numbers", count, len(want))
		}
	})
}

// TestAllowedIsEnough: for any rules, the list allows at least what the last rule that matches does.
func TestAllowedIsEnough(t *testing.T) {
	number := rapid.Custom(func(t *rapid.T) *int64 {
		if n := rapid.Int64Range(-1, 2).Draw(t, "n"); n >= 0 {
			return &n
		}
		return nil
	})
	rule := rapid.Custom(func(t *rapid.T) cgroupfs.DeviceRule {
		return cgroupfs.DeviceRule{
			Allow: rapid.Bool().Draw(t, "allow"), Type: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "type"),
			Major: number.Draw(t, "major"), Minor: number.Draw(t, "minor"),
			Access: rapid.SampledFrom([]string{"", "r", "w", "m", "rw", "rwm"}).Draw(t, "access"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		rules := rapid.SliceOfN(rule, 0, 8).Draw(t, "rules")
		list, err := allowed(rules)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"b", "c"} {
			for n := range int64(9) {
				major, minor := n/3, n%3
				for _, access := range []string{"r", "w", "m"} {
					want := true
					for _, r := range rules {
						if (r.Type == kind || r.Type == "" || r.Type == "a") && (r.Major == nil || *r.Major == major) &&
							(r.Minor == nil || *r.Minor == minor) && (r.Access == "" || strings.Contains(r.Access, access)) {
							want = r.Allow
						}
					}
					have := false
					for _, o := range list {
						have = have || o.kind == kind && (o.major < 0 || o.major == major) && (o.minor < 0 || o.minor == minor) &&
							strings.Contains(o.access, access)
					}
					if want && !have {
						t.Fatalf("%s %d:%d %s is not in %v", kind, major, minor, access, list)
					}
				}
			}
		}
	})
}

// TestDifference: only what is new or other is set again, a list as a whole, and going from one plan to another twice
// sets nothing the second time.
func TestDifference(t *testing.T) {
	host := hosts(t)["v2-252"]
	plan := func(name string) []Property {
		r := some[name]
		all, err := host.Plan(&r)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for a := range some {
		if d := Difference(plan(a), plan(a)); len(d) > 0 {
			t.Errorf("%s and itself differ by\n%s", a, lines(d))
		}
		for b := range some {
			have := map[string]string{}
			for _, p := range plan(a) {
				have[p.Name] = p.Value.String()
			}
			for _, p := range Difference(plan(a), plan(b)) {
				have[p.Name] = p.Value.String()
			}
			for _, p := range plan(b) {
				if last := plan(b); p.Name != "DeviceAllow" && have[p.Name] != p.Value.String() ||
					p.Name == "DeviceAllow" && have[p.Name] != last[len(last)-1].Value.String() {
					t.Errorf("from %s to %s: %s is %s", a, b, p, have[p.Name])
				}
			}
		}
	}
}
