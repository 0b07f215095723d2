package test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handfast/handfast/internal/testenv"
)

// redisPort avoids the port of a redis on the host.
const redisPort = 16379

// TestRedis runs a real service in a detached container on a Debian tree: a client connects to it over loopback,
// SIGTERM through kill shuts it down cleanly, and delete leaves nothing.
func TestRedis(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	rootfs := testenv.Debian(t, "redis-server")
	bundle := testenv.Bundle(t, rootfs, func(c map[string]any) {
		testenv.SetArgs(c, "redis-server", "--bind", "127.0.0.1", "--port", fmt.Sprint(redisPort), "--save", "", "--dir",
			"/tmp")
		// The client of this test uses the host's loopback.
		removeNamespace(c, "network")
		linux(c)["resources"] = map[string]any{"memory": map[string]any{"limit": 256 << 20},
			"pids": map[string]any{"limit": 64}}
	})
	pidFile := filepath.Join(testenv.Dir(t), "pid")
	log, err := os.Create(filepath.Join(testenv.Dir(t), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := r.command("run", "--detach", "--pid-file", pidFile, "-b", bundle, id)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		data, _ := os.ReadFile(log.Name())
		t.Fatalf("%v: %s", err, data)
	}
	state := r.stateOf(id)
	if pid, _ := os.ReadFile(pidFile); string(pid) != fmt.Sprint(state["pid"]) || state["status"] != "running" {
		t.Errorf("pid file %q, state %v", pid, state)
	}
	var conn net.Conn
	eventually(t, "the service listens", func() bool {
		conn, err = net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", redisPort), time.Second)
		return err == nil
	})
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	answers := bufio.NewReader(conn)
	for _, c := range [][2]string{{"SET greeting hello", "+OK"}, {"APPEND greeting !", ":6"}, {"GET greeting", "$6"}} {
		fmt.Fprintf(conn, "%s\r\n", c[0])
		if got, err := answers.ReadString('\n'); err != nil || strings.TrimSpace(got) != c[1] {
			t.Errorf("%s: %q, %v; want %q", c[0], got, err, c[1])
		}
	}
	if got, _ := answers.ReadString('\n'); strings.TrimSpace(got) != "hello!" {
		t.Errorf("GET: %q", got)
	}
	r.ok("kill", id, "SIGTERM")
	r.awaitStatus(id, "stopped")
	r.ok("delete", id)
	data, err := os.ReadFile(log.Name())
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(data), "Ready to accept connections", "Received SIGTERM scheduling shutdown", "bye bye")
}

func removeNamespace(c map[string]any, kind string) {
	var kept []any
	for _, n := range linux(c)["namespaces"].([]any) {
		if n.(map[string]any)["type"] != kind {
			kept = append(kept, n)
		}
	}
	linux(c)["namespaces"] = kept
}
