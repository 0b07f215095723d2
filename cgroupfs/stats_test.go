package cgroupfs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/internal/golden"
)

// tree is a group's files in every hierarchy, read from a file of testdata: a line "-- hierarchy/file" before the
// content of each.
type tree map[string]map[string]string

func readTree(t testing.TB, path string) tree {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := tree{}
	for part := range strings.SplitSeq("\n"+string(data), "\n-- ") {
		name, content, found := strings.Cut(part, "\n")
		if !found {
			continue
		}
		h, file := filepath.Split(name)
		h = strings.TrimSuffix(h, "/")
		if all[h] == nil {
			all[h] = map[string]string{}
		}
		all[h][file] = content + "\n"
	}
	if len(all) == 0 {
		t.Fatalf("%s holds nothing", path)
	}
	return all
}

func (t tree) layout() *Layout {
	l := &Layout{}
	for name := range t {
		h := Hierarchy{Name: name, Controllers: strings.Split(name, ","), Mountpoint: "/" + name}
		if name == "unified" {
			h = Hierarchy{V2: true, Mountpoint: "/unified"}
		}
		l.Hierarchies = append(l.Hierarchies, h)
	}
	return l
}

// stored is one hierarchy's files.
type stored map[string]string

func (s stored) contents(file string) ([]byte, error) {
	text, found := s[strings.TrimSuffix(file, "\x00")]
	if !found {
		return nil, unix.ENOENT
	}
	return []byte(text), nil
}

func (t tree) stats(s *Stats) error {
	s.reset()
	l := t.layout()
	for i := range l.Hierarchies {
		h := &l.Hierarchies[i]
		if _, _, err := collect(s, stored(t[strings.TrimPrefix(h.Mountpoint, "/")]),
			sourcesOf(l, h, []string{"2MB", "1GB"})); err != nil {
			return err
		}
	}
	return nil
}

// TestStatsOfKernels reads the groups that were captured on several kernels, and two that show what those machines do
// not have, all into the same Stats.
func TestStatsOfKernels(t *testing.T) {
	golden.Only(t, "testdata/stats/*.golden")
	trees, err := filepath.Glob("testdata/stats/*.txt")
	if err != nil || len(trees) < 5 {
		t.Fatalf("%v %v", trees, err)
	}
	var s Stats
	for range 2 { // the second time into memory that others have filled
		for _, path := range trees {
			if err := readTree(t, path).stats(&s); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			b, err := json.MarshalIndent(s, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(string(b), "[]", "null") + "\n" // an empty list and none are the same
			golden.Compare(t, strings.TrimSuffix(path, ".txt")+".golden", got)
		}
	}
}

// TestStatsNamesTheFile: what cannot be read is told by name.
func TestStatsNamesTheFile(t *testing.T) {
	for file, content := range map[string]string{
		"cpuacct.usage": "x\n", "cpuacct.usage_percpu": "1 x\n", "cpuacct.usage_all": "cpu user system\n0 1\n",
		"blkio.throttle.io_service_bytes": "8 Read 1\n", "memory.usage_in_bytes": "\n",
		"cpuset.cpus": "3-1-2\n", "cpuset.sched_relax_domain_level": "-\n", "pids.current": "-1\n",
		"hugetlb.2MB.failcnt": " \n",
	} {
		var s Stats
		_, name, err := collect(&s, stored{file: content}, sourcesV1([]string{"2MB"}))
		if err == nil || name != file {
			t.Errorf("%s: %q: %q, %v", file, content, name, err)
		}
	}
}

func TestHugetlbSize(t *testing.T) {
	for dir, want := range map[string]string{"hugepages-2048kB": "2MB", "hugepages-1048576kB": "1GB",
		"hugepages-64kB": "64KB", "hugepages-16777216kB": "16GB"} {
		if got, err := hugetlbSize(dir); err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", dir, got, err, want)
		}
	}
	for _, dir := range []string{"", "hugepages-", "hugepages-kB", "hugepages-2048", "2048kB", "hugepages--1kB"} {
		if got, err := hugetlbSize(dir); err == nil {
			t.Errorf("%q: %q", dir, got)
		}
	}
}

// TestIDList: what is written as ranges comes back number by number.
func TestIDList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []uint16
		var text strings.Builder
		at := 0
		for i := range rapid.IntRange(0, 5).Draw(t, "ranges") {
			at += rapid.IntRange(1, 9).Draw(t, "gap")
			last := at + rapid.IntRange(0, 9).Draw(t, "length")
			if i > 0 {
				text.WriteByte(',')
			}
			text.WriteString(strconv.Itoa(at))
			if last > at {
				text.WriteString("-" + strconv.Itoa(last))
			}
			for ; at <= last; at++ {
				want = append(want, uint16(at))
			}
		}
		got, err := idList(nil, []byte(text.String()+"\n"))
		if err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%q: %v %v, want %v", text.String(), got, err, want)
		}
	})
}

// FuzzStats puts any bytes into every file at once: nothing but an error may come of it, and what is read once reads
// the same again.
func FuzzStats(f *testing.F) {
	trees, err := filepath.Glob("testdata/stats/*.txt")
	if err != nil || len(trees) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range trees {
		for _, files := range readTree(f, path) {
			for _, content := range files {
				f.Add([]byte(content))
			}
		}
	}
	all := append(sourcesV1([]string{"2MB"}), sourcesV2([]string{"1GB"})...)
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Stats
		take := func() string {
			s.reset()
			failed := 0
			for i := range all {
				if all[i].take(&s, b, all[i].size) != nil {
					failed++
				}
			}
			return s.comparable() + strconv.Itoa(failed)
		}
		if once, again := take(), take(); once != again {
			t.Fatal(cmp.Diff(once, again))
		}
	})
}

// comparable is a Stats as text, in which an empty list and none are the same.
func (s *Stats) comparable() string {
	b, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(string(b), "[]", "null")
}

func TestParseNetwork(t *testing.T) {
	text := "Inter-|   Receive                                                |  Transmit\n" +
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier " +
		"compressed\n" +
		"    lo:     100       2    0    0    0     0          0         0      100       2    0    0    0     0       0   " +
		"       0\n" +
		"eth0.12:12345678901 20 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
	got, err := parseNetwork(nil, []byte(text))
	want := []NetworkInterface{
		{Name: "lo", RxBytes: 100, RxPackets: 2, TxBytes: 100, TxPackets: 2},
		{Name: "eth0.12", RxBytes: 12345678901, RxPackets: 20, RxErrors: 3, RxDropped: 4, TxBytes: 9, TxPackets: 10,
			TxErrors: 11, TxDropped: 12},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := parseNetwork(nil, []byte("\n\neth0: 1 2 3\n")); err == nil {
		t.Error("half a line is accepted")
	}
}

func FuzzNetwork(f *testing.F) {
	f.Add([]byte("a\nb\nlo: 1 2 3 4 5 6 7 8 9 10 11 12\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := parseNetwork(nil, b)
		if err == nil && len(all) > len(b) {
			t.Errorf("%d interfaces in %d bytes", len(all), len(b))
		}
	})
}
