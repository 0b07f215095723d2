package cgroupfs

import (
	"strings"
	"testing"
)

// TestPresent: what undoes a write, from what the kernel shows before it.
func TestPresent(t *testing.T) {
	for _, c := range []struct{ file, value, text, want string }{
		{"memory.max", "1", "max\n", "max"},
		{"cpu.max", "1 2", "max 100000\n", "max 100000"},
		{"memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", "0"},
		{"io.max", "8:0 rbps=1", "7:0 rbps=5 wbps=max riops=max wiops=max\n8:0 rbps=2 wbps=max riops=max wiops=9\n",
			"8:0 rbps=2 wbps=max riops=max wiops=9"},
		{"io.max", "8:0 rbps=1", "", "8:0 rbps=max wbps=max riops=max wiops=max"},
		{"io.bfq.weight", "10", "default 100\n8:0 200\n", "default 100"},
		{"io.bfq.weight", "8:0 10", "default 100\n8:0 200\n", "8:0 200"},
		{"io.weight", "8:16 10", "default 100\n8:0 200\n", "8:16 default"},
		{"blkio.throttle.read_bps_device", "8:0 10", "8:0 4\n", "8:0 4"},
		{"blkio.throttle.read_bps_device", "8:0 10", "", "8:0 0"},
		{"blkio.bfq.weight_device", "8:0 10", "", "8:0 default"},
		{"rdma.max", "mlx5_0 hca_handle=1", "mlx5_0 hca_handle=2 hca_object=max\n", "mlx5_0 hca_handle=2 hca_object=max"},
		{"misc.max", "sev 1", "sev max\nsev_es 3\n", "sev max"},
		{"dmem.low", "drm/0/vram0 1", "", "drm/0/vram0 0"},
		{"dmem.max", "drm/0/vram0 1", "", "drm/0/vram0 max"},
		{"net_prio.ifpriomap", "eth0 5", "lo 0\neth0 3\n", "eth0 3"},
		{"cpuset.cpus", "0", "\n", "\n"},
		{"some.file", "8:0 x=1", "", ""},
		{"some.list", "a", "a 1\nb 2\n", ""},
	} {
		got, ok := present(Write{File: c.file, Value: c.value}, c.text)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s before %q, which shows %q: %q %t, want %q", c.file, c.value, c.text, got, ok, c.want)
		}
	}
}

// FuzzPresent: whatever a file shows, undoing a write to one line is a write to that line.
func FuzzPresent(f *testing.F) {
	f.Add("io.max", "8:0 rbps=1", "8:0 rbps=2 wbps=max\n")
	f.Add("memory.oom_control", "1", "oom_kill_disable 0\n")
	f.Add("x", "default", "\n\ndefault ")
	f.Fuzz(func(t *testing.T, file, value, text string) {
		w := Write{File: file, Value: value}
		got, ok := present(w, text)
		if !ok || strings.Contains(value, "\n") { // a plan writes line by line
			return
		}
		key, _, _ := strings.Cut(value, " ")
		if keyed(w) && file != "memory.oom_control" && !strings.HasPrefix(got, key+" ") ||
			strings.Contains(strings.TrimSuffix(got, "\n"), "\n") {
			t.Errorf("%q undoes %v", got, w)
		}
	})
}

// FuzzCheckPath: a path that is taken is one that names a group below the mount and nothing else.
func FuzzCheckPath(f *testing.F) {
	for _, seed := range []string{"/a/b", "/", "/..", "/a/../b", "a", "/a//b", "/a/", "/a/./b", "/a/..b", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		rel, err := checkPath(p)
		if err != nil {
			return
		}
		if "/"+rel != p || rel == "" || strings.ContainsRune(rel, 0) {
			t.Errorf("%q is %q", p, rel)
		}
		for name := range strings.SplitSeq(rel, "/") {
			if name == "" || name == "." || name == ".." {
				t.Errorf("%q goes by %q", p, name)
			}
		}
	})
}
