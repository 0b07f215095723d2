package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/handfast/handfast/internal/demo/view"
	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

// compareOutput compares with the file, and checks what holds for everything that the demonstration prints.
func compareOutput(t *testing.T, name, got string) {
	t.Helper()
	for line := range strings.Lines(got) {
		if line = strings.TrimRight(line, "\n"); utf8.RuneCountInString(line) > columns || strings.HasSuffix(line, " ") {
			t.Errorf("wider than %d columns, or ends in a space: %q", columns, line)
		}
	}
	if strings.ContainsRune(got, '\x1b') {
		t.Error("there is a terminal's escape in the output")
	}
	golden.Compare(t, filepath.Join("testdata", name), got)
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
	compareOutput(t, "compare.txt", compare(inside, outside))
}

func TestConfigs(t *testing.T) {
	for name, id := range map[string]int{"config-root.json": 0, "config-user.json": 1000} {
		data, err := json.MarshalIndent(config(id, id), "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, filepath.Join("testdata", name), append(data, '\n'))
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
