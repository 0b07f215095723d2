package test

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/internal/usage/metricstest"
)

// limited gives a container limits that the tests look for.
func limited(c map[string]any) {
	linux(c)["resources"] = map[string]any{"memory": map[string]any{"limit": 64 << 20},
		"pids": map[string]any{"limit": 33}}
}

// TestUsageTable: the table has a line for each container that runs, with what it uses and may use; elsewhere than on a
// terminal without a control sequence.
func TestUsageTable(t *testing.T) {
	r, busy, quiet, old := newRuntime(t), testenv.ID(t), testenv.ID(t), testenv.ID(t)
	r.ok("run", "--detach", "-b", shell(t, "while :; do :; done", limited), busy)
	r.ok("run", "--detach", "-b", shell(t, "sleep 1000", nil), quiet)
	r.ok("run", "--detach", "-b", shell(t, "exit 0", nil), old)
	r.awaitStatus(old, "stopped")

	row := func(o outcome, id string) []string {
		t.Helper()
		for line := range strings.Lines(o.stdout) {
			if f := strings.Fields(line); f[0] == id {
				return f
			}
		}
		t.Fatalf("no line of %s: %+v", id, o)
		return nil
	}
	o := r.do("events", "--format", "table", "--stats", "--interval", "200ms")
	if o.status != 0 || o.stderr != "" || strings.Count(o.stdout, "\n") != 3 || strings.Contains(o.stdout, "\x1b") ||
		!strings.HasPrefix(o.stdout, "CONTAINER ") {
		t.Fatalf("%+v", o)
	}
	b, q := row(o, busy), row(o, quiet)
	if b[1] == "0.0" || b[1] == "-" || q[1] == "-" || b[4] != "64.0MiB" || b[6] != "1/33" || q[6] != "1" {
		t.Errorf("%q\n%q", b, q)
	}
	o = r.do("events", "--format", "table", "--stats", "--interval", "50ms", quiet)
	if strings.Count(o.stdout, "\n") != 2 {
		t.Errorf("of one container: %+v", o)
	}

	// In place on a terminal, until the last of the named containers has ended.
	user, terminal := openPTY(t, 24, 60)
	cmd := r.command("events", "--format", "table", "--interval", "50ms", quiet)
	onTerminal(cmd, terminal)
	start(t, cmd)
	screen := newLines(user)
	screen.want(t, "CONTAINER")
	again := screen.want(t, "\x1b[2A") // over the two lines of before
	if width := len(strings.NewReplacer("\x1b[J", "", "\x1b[2A", "", "\x1b[K", "", "\r", "").Replace(again)); width != 60 {
		t.Errorf("a line of %d columns on a terminal of 60: %q", width, again)
	}
	r.ok("kill", quiet, "KILL")
	if err := cmd.Wait(); err != nil {
		t.Errorf("events ended: %v", err)
	}

	for _, c := range []struct{ words, args []string }{
		{[]string{old, "not running", "stopped"}, []string{"--format", "table", old}},
		{[]string{"container does not exist"}, []string{"--format", "table", busy, "nosuch"}},
		{[]string{"container does not exist"}, []string{"--format", "openmetrics", "nosuch"}},
		{[]string{"--format", "xml", "json, table or openmetrics"}, []string{"--format", "xml", busy}},
		{[]string{"too few arguments", "events ID"}, nil},
		{[]string{"too many arguments", "events ID"}, []string{busy, quiet}},
		{[]string{"--pressure", "json"}, []string{"--format", "table", "--pressure", "cpu=100ms/2s"}},
		{[]string{"--pressure", "--stats"}, []string{"--stats", "--pressure", "cpu=100ms/2s", busy}},
		{[]string{"--output", "openmetrics"}, []string{"--output", "x", busy}},
		{[]string{"--interval", "once"}, []string{"--format", "openmetrics", "--interval", "1s"}},
		{[]string{"--output", "no such file"}, []string{"--format", "openmetrics", "--output", "/nonexistent/m"}},
	} {
		r.fails(c.words, append([]string{"events"}, c.args...)...)
	}
	r.ok("delete", "--force", busy, quiet, old)
}

// TestMetrics: the file for a collector has every container, in the strict format, and is replaced whole.
func TestMetrics(t *testing.T) {
	r, id, old := newRuntime(t), testenv.ID(t), testenv.ID(t)
	file := filepath.Join(testenv.Dir(t), "handfast.prom")
	read := func() map[string]float64 {
		t.Helper()
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		samples, err := metricstest.Check(string(data))
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		return samples
	}
	r.ok("run", "--detach", "-b", shell(t, "exit 0", nil), old)
	r.awaitStatus(old, "stopped")
	r.ok("events", "--format", "openmetrics", "--output", file)
	if got := read(); got[`handfast_containers{status="stopped"}`] != 1 || len(got) != 3 {
		t.Errorf("%v", got)
	}
	r.ok("run", "--detach", "-b", shell(t, "sleep 1000", limited), id)
	before, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	r.ok("events", "--format", "openmetrics", "--output", file)
	got := read()
	for series, want := range map[string]float64{
		`handfast_containers{status="running"}`:                           1,
		`handfast_container_running{container="` + id + `"}`:              1,
		`handfast_container_running{container="` + old + `"}`:             0,
		`handfast_container_memory_limit_bytes{container="` + id + `"}`:   64 << 20,
		`handfast_container_pids{container="` + id + `"}`:                 1,
		`handfast_container_pids_limit{container="` + id + `"}`:           33,
		`handfast_container_oom_kills_total{container="` + id + `"}`:      0,
		`handfast_container_cpu_seconds_total{container="` + old + `"}`:   0,
		`handfast_container_memory_usage_bytes{container="` + old + `"}`:  0,
		`handfast_container_network_bytes_total{container="` + old + `"}`: 0,
	} {
		if value, there := got[series]; value != want || there != (want != 0 || strings.Contains(series, "oom_kills") ||
			strings.Contains(series, "running")) {
			t.Errorf("%s: %g, want %g", series, value, want)
		}
	}
	if cpu := got[`handfast_container_cpu_seconds_total{container="`+id+`"}`]; cpu <= 0 || cpu > 60 {
		t.Errorf("%g seconds of processor time", cpu)
	}
	if data, err := io.ReadAll(before); err != nil || strings.Contains(string(data), id) {
		t.Errorf("a reader of the file saw it change: %v, %s", err, data)
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("files are left: %v, %v", entries, err)
	}
	if o := r.do("events", "--format", "openmetrics", id); strings.Contains(o.stdout, old) || o.status != 0 {
		t.Errorf("%+v", o)
	}
	r.ok("delete", "--force", id, old)
}

// TestProgress: somebody who waits for a delete at a terminal sees what it waits for, and that it has ended.
func TestProgress(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("create", "-b", shell(t, "exit 0", func(c map[string]any) {
		setHook(c, "poststop", 0, "/bin/sh", "sh", "-c", "sleep 1.5")
	}), id)
	user, terminal := openPTY(t, 24, 80)
	cmd := r.command("delete", id)
	onTerminal(cmd, terminal)
	start(t, cmd)
	screen := newLines(user)
	screen.want(t, "handfast: delete "+id+": run the poststop hooks ...")
	screen.want(t, "handfast: delete "+id+": done after ")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestLogNamesWhatItIsAbout: a line says which container, command and phase it is about, and the errno of its error,
// beside what container managers read.
func TestLogNamesWhatItIsAbout(t *testing.T) {
	id, dir := testenv.ID(t), testenv.Dir(t)
	file := filepath.Join(dir, "log")
	r := newRuntime(t, "--log", file, "--log-format", "json")
	bad := shell(t, "", func(c map[string]any) { process(c)["args"] = []string{"/no/such"} })
	r.fails([]string{"/no/such"}, "run", "-b", bad, id)
	hook := shell(t, "exit 0", func(c map[string]any) { setHook(c, "createRuntime", 0, "/bin/false") })
	r.fails([]string{"createRuntime"}, "create", "-b", hook, id)
	after := shell(t, "sleep 1000", func(c map[string]any) { setHook(c, "poststart", 0, "/bin/false") })
	r.fails([]string{"poststart"}, "run", "--detach", "-b", after, id)
	r.fails([]string{"does not exist"}, "kill", id)
	r.fails([]string{"does not exist"}, "delete", id, id+"2")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(data)) {
		var m struct{ Level, Msg, Time, Command, Container, Phase, Errno string }
		decodeLine(t, line, &m)
		if m.Level != "error" || m.Msg == "" || m.Time == "" {
			t.Errorf("%s", line)
		}
		got = append(got, strings.Join([]string{m.Command, strings.ReplaceAll(m.Container, id, "ID"), m.Phase, m.Errno}, "|"))
	}
	want := []string{"run|ID|set the container up|ENOENT", "create|ID|run the createRuntime hooks|",
		"run|ID|run the poststart hooks|", "kill|ID|find the container|", "delete|||"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func decodeLine(t testing.TB, line string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), into); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
}
