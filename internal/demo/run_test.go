package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/handfast/handfast/internal/demo/view"
	"github.com/handfast/handfast/internal/recording"
	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

// The demonstration's container, run for real as root and as a plain user.
func TestContainer(t *testing.T) {
	testenv.Root(t)
	t.Run("root", func(t *testing.T) { runContainer(t, 0) })
	t.Run("plain user", func(t *testing.T) {
		if reason := refusal(); reason != "" {
			t.Skip("plain users may not make user namespaces here: " + reason)
		}
		runContainer(t, 65534)
	})
}

func runContainer(t *testing.T, id int) {
	dir := testenv.Dir(t)
	payload := filepath.Join(dir, "payload")
	data, err := os.ReadFile(testenv.GoPayload(t, "internal/demo/payload"))
	if err == nil {
		err = os.WriteFile(payload, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(dir, "bundle")
	if err := makeBundle(bundle, payload, id, id); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, id, id); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(dir, "trace")
	run := exec.Command(testenv.Binary(t), runArgs(filepath.Join(dir, "state"), trace, bundle, testenv.ID(t))...)
	run.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	run.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(id), Gid: uint32(id)}}
	var stderr strings.Builder
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", run.Args, err, stderr.String())
	}

	var inside view.View
	if err := json.Unmarshal(out, &inside); err != nil {
		t.Fatalf("the container said %q: %v", out, err)
	}
	if inside.PID != 1 || inside.Processes != 1 || inside.Hostname != "handfast-demo" || inside.UID != 0 ||
		!inside.NoNewPrivs {
		t.Errorf("inside: %+v", inside)
	}
	if !slices.Equal(inside.Capabilities, []string{"KILL", "NET_BIND_SERVICE", "AUDIT_WRITE"}) {
		t.Errorf("capabilities: %v", inside.Capabilities)
	}
	if !slices.Contains(inside.Interfaces, "lo up") {
		t.Errorf("interfaces: %v", inside.Interfaces)
	}
	file, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	commands, err := recording.Read(file)
	if err != nil || len(commands) != 1 || len(commands[0].Conversations) != 1 {
		t.Fatalf("the trace has %+v, %v", commands, err)
	}
	v, err := commands[0].Conversations[0].Replay(container.InitProfile())
	if err != nil || v.Outcome != syncproto.Success {
		t.Errorf("the trace plays as %+v, %v", v, err)
	}
}
