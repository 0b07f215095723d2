package main

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/internal/demo/view"
	"github.com/handfast/handfast/internal/testenv"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

// golden compares with the file, and checks what holds for everything that the demonstration prints.
func golden(t *testing.T, name, got string) {
	t.Helper()
	for line := range strings.Lines(got) {
		if line = strings.TrimRight(line, "\n"); utf8.RuneCountInString(line) > columns || strings.HasSuffix(line, " ") {
			t.Errorf("wider than %d columns, or ends in a space: %q", columns, line)
		}
	}
	if strings.ContainsRune(got, '\x1b') {
		t.Error("there is a terminal's escape in the output")
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("differs from %s (-want +got), -update rewrites it:\n%s", path, diff)
	}
}

func TestCompare(t *testing.T) {
	inside := view.View{
		PID: 1, Hostname: "handfast-demo", UIDMap: "0 1000 1", Processes: 1, NoNewPrivs: true,
		Capabilities: []string{"KILL", "NET_BIND_SERVICE", "AUDIT_WRITE"}, Cgroups: []string{"/handfast/demo-4711"},
		Interfaces: []string{"lo up"},
		Mounts: []view.Mount{{Point: "/", Type: "ext4", ReadOnly: true}, {Point: "/proc", Type: "proc"},
			{Point: "/dev", Type: "tmpfs"},
			{Point: "/dev/pts", Type: "devpts"}, {Point: "/dev/shm", Type: "tmpfs"},
			{Point: "/sys", Type: "sysfs", ReadOnly: true}},
	}
	outside := view.View{
		PID: 4711, Hostname: "a-machine-with-a-very-long-name.example.org", UID: 1000, GID: 1000, UIDMap: "0 0 4294967295",
		Processes: 231,
		Cgroups:   []string{"/user.slice/user-1000.slice/session-2.scope"}, Interfaces: []string{"lo up", "eth0 up",
			"wlan0 down"},
		Mounts: make([]view.Mount, 27),
	}
	golden(t, "compare.txt", compare(inside, outside))
}

func TestConfigs(t *testing.T) {
	for name, id := range map[string]int{"config-root.json": 0, "config-user.json": 1000} {
		data, err := json.MarshalIndent(config(id, id), "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(data)+"\n"); diff != "" {
			t.Errorf("%s (-want +got), -update rewrites it:\n%s", path, diff)
		}
	}
}

// The payload runs as it is, outside a container too, and says what the same code sees here.
func TestPayload(t *testing.T) {
	out, err := exec.Command(testenv.GoPayload(t, "internal/demo/payload")).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got view.View
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if here := view.Look(); got.PID == here.PID || got.Hostname != here.Hostname || len(got.Mounts) != len(here.Mounts) {
		t.Errorf("the payload saw %+v", got)
	}
}
