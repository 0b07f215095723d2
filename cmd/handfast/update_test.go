package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUpdateOptions: every limit of the command line arrives in the words of the specification, and is laid over those
// of the file.
func TestUpdateOptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.json")
	if err := os.WriteFile(file, []byte(`{"memory": {"limit": 1, "swap": 2}, "unified": {"memory.high": "3"}}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	line := "update --memory 64m --memory-reservation=1G --memory-swap -1 --cpu-share 512 --cpu-quota -1 --cpu-period " +
		"10000 --cpu-burst 0 --cpu-idle 1 --cpu-rt-runtime 5 --cpu-rt-period 6 --cpuset-cpus 0-1 --cpuset-mems 0 " +
		"--pids-limit 0 --blkio-weight 10 --kernel-memory 5 --kernel-memory-tcp nonsense C"
	for more, want := range map[string]string{
		"": `{"memory":{"limit":67108864,"reservation":1073741824,"swap":-1},` +
			`"cpu":{"shares":512,"quota":-1,"burst":0,"period":10000,"realtimeRuntime":5,"realtimePeriod":6,"cpus":"0-1","mems":"0","idle":1},"pids":{"limit":0},"blockIO":{"weight":10}}`,
		" -r " + file: `{"unified":{"memory.high":"3"},"memory":{"limit":67108864,"reservation":1073741824,"swap":-1},` +
			`"cpu":{"shares":512,"quota":-1,"burst":0,"period":10000,"realtimeRuntime":5,"realtimePeriod":6,"cpus":"0-1","mems":"0","idle":1},"pids":{"limit":0},"blockIO":{"weight":10}}`,
	} {
		in, err := parse(words(line + more))
		if err != nil {
			t.Fatal(err)
		}
		r, err := in.limitChange()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(r); string(got) != want {
			t.Errorf("%s\ngot  %s\nwant %s", line+more, got, want)
		}
	}
}

func TestBadUpdateOptions(t *testing.T) {
	for line, want := range map[string]string{
		"--memory 64x":             `--memory "64x": want a number of bytes, with k, m, g, t or p after it for a power of 1024, or -1 for no limit`,
		"--memory-swap 0":          `--memory-swap "0": want a number of bytes`,
		"--cpu-share 0":            `--cpu-share "0": want a whole number from 1 on`,
		"--cpu-quota=0":            `--cpu-quota "0": want a whole number that is not 0`,
		"--cpu-burst -1":           `--cpu-burst "-1": want a whole number from 0 on`,
		"--pids-limit many":        `--pids-limit "many": want a whole number`,
		"--blkio-weight 5":         `--blkio-weight "5": want 10 to 1000`,
		"--resources /nowhere/r":   "--resources: open /nowhere/r: no such file or directory",
		"--resources=/proc/self":   "--resources: read /proc/self: is a directory",
		"--resources /proc/uptime": "broken JSON",
	} {
		in, err := parse(words("update " + line + " C"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.limitChange(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", line, err, want)
		}
	}
}

func TestSize(t *testing.T) {
	for in, want := range map[string]int64{
		"1": 1, "-1": -1, "32": 32, "32b": 32, "32B": 32, "32k": 32 << 10, "32K": 32 << 10, "32kb": 32 << 10,
		"32KiB": 32 << 10, "32 mb": 32 << 20, "1.5g": 3 << 29, "2T": 2 << 40, "1p": 1 << 50,
	} {
		if got, err := parseSize(in); err != nil || got != want {
			t.Errorf("%q: %d %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "m", "-2", "1  k", "1kk", "1ki", "1e3", "0x10", "1..2", ".", "0", "0.1", "9999999p",
		"1kibi", "+1", "NaN", "1k "} {
		if got, err := parseSize(in); err == nil {
			t.Errorf("%q was read as %d", in, got)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, seed := range []string{"64m", "-1", "1.5GiB", "9223372036854775807", "1e400p"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := parseSize(text); err == nil && (n < -1 || n == 0 || n > math.MaxInt64-1) {
			t.Errorf("%q is %d", text, n)
		}
	})
}
