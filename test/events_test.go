package test

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// event is one line of the command events.
type event struct {
	Type string         `json:"type"`
	ID   string         `json:"id"`
	Data map[string]any `json:"data"`
}

func parseEvent(t testing.TB, line, id string) event {
	t.Helper()
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.ID != id {
		t.Fatalf("%v: %s", err, line)
	}
	return e
}

// at returns the value below data at a path of names.
func (e event) at(t testing.TB, path string) any {
	t.Helper()
	var v any = e.Data
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if v = m[name]; !ok {
			t.Fatalf("%s: nothing there in %v", path, e.Data)
		}
	}
	return v
}

// startEvents runs events in the background.
func (r *runtime) startEvents(args ...string) (*lines, func() error) {
	r.t.Helper()
	cmd := r.command(append([]string{"events"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	start(r.t, cmd)
	l := newLines(io.Reader(out))
	return l, cmd.Wait
}

// TestEventsStats (EV01): one line in runc's format, with the container's own numbers.
func TestEventsStats(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.fails([]string{"container does not exist"}, "events", "--stats", id)
	r.ok("run", "--detach", "-b", shell(t, "sleep 1000", func(c map[string]any) {
		linux(c)["resources"] = map[string]any{"memory": map[string]any{"limit": 64 << 20},
			"pids": map[string]any{"limit": 33}}
	}), id)
	o := r.do("events", "--stats", id)
	if o.status != 0 || o.stderr != "" || strings.Count(o.stdout, "\n") != 1 {
		t.Fatalf("%+v", o)
	}
	e := parseEvent(t, o.stdout, id)
	if e.Type != "stats" {
		t.Errorf("type %q", e.Type)
	}
	for path, want := range map[string]float64{"memory.usage.limit": 64 << 20, "pids.limit": 33, "pids.current": 1} {
		if got := e.at(t, path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	for _, path := range []string{"cpu.usage.total", "cpu.throttling", "cpuset.cpus", "memory.raw", "memory.swap.limit",
		"memory.kernel.failcnt", "memory.kernelTCP.limit", "blkio", "hugetlb", "intel_rdt"} {
		if e.at(t, path) == nil {
			t.Errorf("%s is missing: %s", path, o.stdout)
		}
	}
	if _, there := e.Data["network_interfaces"]; !there {
		t.Errorf("no network_interfaces: %s", o.stdout)
	}
	for option, words := range map[string][]string{"--interval=0": {"--interval", "0"},
		"--interval=x": {"--interval", "x"}, "--pressure=memory": {"--pressure", "memory", "STALL/WINDOW"},
		"--pressure=x=1ms/2s": {"x", "cpu, memory or io"}} {
		r.fails(words, "events", option, id)
	}
	r.ok("kill", id, "KILL")
	r.awaitStatus(id, "stopped")
	r.fails([]string{"container with id " + id + " is not running", "stopped"}, "events", "--stats", id)
	r.ok("delete", id)
}

// TestEventsTellOutOfMemory: events prints statistics at every interval and an event for a killed process, and ends
// with the container.
func TestEventsTellOutOfMemory(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("create", "-b", shell(t, "while [ ! -e /tmp/go ]; do sleep 0.02; done; tail /dev/zero; sleep 1000",
		func(c map[string]any) {
			linux(c)["resources"] = map[string]any{"memory": map[string]any{"limit": 16 << 20, "swap": 16 << 20}}
		}), id)
	l, wait := r.startEvents("--interval", "50ms", id)
	parseEvent(t, l.want(t, `"stats"`), id)
	bundle := r.stateOf(id)["bundle"].(string)
	r.ok("start", id)
	if err := os.WriteFile(rootOf(t, bundle)+"/tmp/go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if e := parseEvent(t, l.want(t, `"oom"`), id); e.Type != "oom" || e.Data != nil {
		t.Errorf("%+v", e)
	}
	r.ok("kill", id, "KILL")
	if err := wait(); err != nil {
		t.Errorf("events ended: %v", err)
	}
	r.awaitStatus(id, "stopped")
	r.ok("delete", id)
}

// TestEventsTellTheLastOutOfMemory: the event is printed even if the container's first process is killed.
func TestEventsTellTheLastOutOfMemory(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("create", "-b", shell(t, "exec tail /dev/zero", func(c map[string]any) {
		linux(c)["resources"] = map[string]any{"memory": map[string]any{"limit": 16 << 20, "swap": 16 << 20}}
	}), id)
	l, wait := r.startEvents("--interval", "50ms", id)
	l.want(t, `"stats"`)
	r.ok("start", id)
	l.want(t, `"oom"`)
	if err := wait(); err != nil {
		t.Errorf("events ended: %v", err)
	}
	r.ok("delete", id)
}

// TestEventsTellPressure: a trigger that fires is an event, with the threshold of the option.
func TestEventsTellPressure(t *testing.T) {
	if !hasV2(t) {
		t.Skip("needs a v2 hierarchy, which has the pressure files")
	}
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("run", "--detach", "-b", shell(t, "while :; do :; done", func(c map[string]any) {
		linux(c)["resources"] = map[string]any{"cpu": map[string]any{"quota": 10000, "period": 100000}}
	}), id)
	l, wait := r.startEvents("--interval", "1h", "--pressure", "cpu=100ms/2s", id)
	e := parseEvent(t, l.want(t, `"pressure"`), id)
	for path, want := range map[string]any{"resource": "cpu", "full": false, "stall": 100000.0, "window": 2000000.0} {
		if got := e.at(t, path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	r.ok("delete", "--force", id)
	if err := wait(); err != nil {
		t.Errorf("events ended: %v", err)
	}
}
