package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/internal/recording"
	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

// TestTraceOfALifecycle: every command of a container is in one file, in order, with what the parent did and what it
// said to the child, also a command that failed; and no environment or argument is.
func TestTraceOfALifecycle(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	trace := filepath.Join(testenv.Dir(t), "trace")
	bundle := shell(t, "sleep 1000 # secret1", func(c map[string]any) {
		process(c)["env"] = append(process(c)["env"].([]any), "PASSWORD=secret2")
		setHook(c, "createRuntime", 0, "/bin/true", "true", "secret3")
		setHook(c, "poststop", 0, "/bin/true")
	})
	r.ok("create", "--trace", trace, "-b", bundle, id)
	r.ok("start", "--trace", trace, id)
	if o := r.do("exec", "--trace", trace, "--env", "TOKEN=secret4", id, "sh", "-c", "exit 7 # secret5"); o.status != 7 {
		t.Errorf("%+v", o)
	}
	r.fails([]string{"not stopped"}, "delete", "--trace", trace, id)
	r.ok("--trace", trace, "kill", id, "KILL")
	r.awaitStatus(id, "stopped")
	r.ok("delete", "--trace", trace, id)

	file, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all, err := recording.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range all {
		if c.Container != id || !c.Ended || (c.Status != 0) != (c.Error != "") && c.Name != "exec" {
			t.Errorf("%+v", c)
		}
		var phases []string
		for _, p := range c.Phases {
			phases = append(phases, p.Name)
		}
		for _, talk := range c.Conversations {
			profile := map[string]*syncproto.Profile{"create": container.InitProfile(), "start": container.StartProfile(),
				"exec": container.SetnsProfile()}[c.Name]
			if v, err := talk.Replay(profile); err != nil || v.Outcome != syncproto.Success {
				t.Errorf("%s: the conversation plays as %+v, %v", c.Name, v, err)
			}
		}
		got = append(got, fmt.Sprintf("%s %d %d: %s", c.Name, c.Status, len(c.Conversations), strings.Join(phases, ", ")))
	}
	want := []string{
		"create 0 1: read the configuration, decide what it means, write the state, make the group, clone the child, " +
			"write the state, set the limits, set the container up, run the createRuntime hooks, set the container up, " +
			"write the state",
		"start 0 1: find the container, open the gate",
		"exec 7 1: find the container, read the configuration, decide what it means, clone the child, join the container, " +
			"execute the program, run the program",
		"delete 1 0: find the container",
		"kill 0 0: find the container, send the signal",
		"delete 0 0: find the container, end the processes, remove the group, run the poststop hooks, remove the state",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	data, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"timeline", "json", "mermaid", "svg", "chrome"} {
		o := r.do("trace", "--format", format, trace)
		contains(t, o.stdout, "create", "CONFIG", "remove the group")
		data = append(data, o.stdout...)
	}
	if strings.Contains(string(data), "secret") {
		t.Errorf("a secret is recorded: %s", data)
	}
	// A file whose last line is cut off, beside another file.
	cut := filepath.Join(testenv.Dir(t), "cut")
	must(t, os.WriteFile(cut, data[:len(data)/10], 0o600))
	o := r.do("trace", cut, trace)
	contains(t, o.stdout, "create "+id, "delete "+id)
	contains(t, o.stderr, "is cut off", cut, "the rest is shown")
	if o.status != 1 {
		t.Errorf("%+v", o)
	}
	for _, c := range []struct{ words, args []string }{
		{[]string{"--output", cut, "to be shown"}, []string{"--output", cut, trace, cut}},
		{[]string{"--output", "is a directory"}, []string{"--output", filepath.Dir(cut), trace}},
		{[]string{"--conversation", "transcript"}, []string{"--conversation", "1", trace}},
	} {
		r.fails(c.words, append([]string{"trace"}, c.args...)...)
	}
	// A file that was named by mistake stays as it is.
	r.fails([]string{"--trace", "config.json", "other contents"}, "--trace", filepath.Join(bundle, "config.json"), "list")
}
