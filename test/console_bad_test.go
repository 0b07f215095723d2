package test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestConsoleSocketsThatDoNotListen: the error is one line with the path, and nothing is left of the container
// (newRuntime checks it).
func TestConsoleSocketsThatDoNotListen(t *testing.T) {
	r, dir := newRuntime(t), testenv.Dir(t)
	bundle := shell(t, "exit 0", withTerminal)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, "left")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	packets := filepath.Join(dir, "packets")
	p, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: packets, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	long := filepath.Join(dir, strings.Repeat("name", 50))
	for path, want := range map[string]string{
		filepath.Join(dir, "none"):      "no such file or directory",
		filepath.Join(file, "inside"):   "not a directory",
		file:                            "connection refused",
		left:                            "connection refused",
		packets:                         "protocol wrong type for socket",
		long:                            "no such file or directory",
		filepath.Join(dir, "none/sock"): "no such file or directory",
	} {
		for _, args := range [][]string{{"create"}, {"run", "--detach"}} {
			r.fails([]string{"--console-socket", path, want}, append(args, "--console-socket", path, "-b", bundle,
				testenv.ID(t))...)
		}
	}
}

// TestConsoleOfAUser: the terminal belongs to the program's user, and to the group that the devpts mount sets.
func TestConsoleOfAUser(t *testing.T) {
	r := newRuntime(t)
	bundle := shell(t, "stat -c '%u %g %a' /dev/console $(tty); echo > /dev/console", func(c map[string]any) {
		process(c)["terminal"] = true
		process(c)["user"] = map[string]any{"uid": 1000, "gid": 1001}
		c["root"].(map[string]any)["readonly"] = true
	})
	if screen, status := onScreen(t, r.command("run", "-b", bundle, testenv.ID(t)), nil); status != 0 ||
		screen != "1000 5 620\r\n1000 5 620\r\n\r\n" {
		t.Errorf("status %d, screen %q", status, screen)
	}
}

// TestConsoleOfTheImage: without a mount on /dev the terminal is bound on the image's own /dev/console. A link that
// leads out of the image is not followed: CVE-2026-88264.
func TestConsoleOfTheImage(t *testing.T) {
	r, beside := newRuntime(t), testenv.Dir(t)
	target := filepath.Join(beside, "console")
	for _, readonly := range []bool{false, true} {
		bundle := shell(t, "true", func(c map[string]any) {
			process(c)["terminal"] = true
			c["root"].(map[string]any)["readonly"] = readonly
			var kept []any
			for _, m := range c["mounts"].([]any) {
				if d := m.(map[string]any)["destination"].(string); d == "/dev/pts" || !strings.HasPrefix(d, "/dev") {
					kept = append(kept, m)
				}
			}
			c["mounts"] = kept
		})
		dev := filepath.Join(rootOf(t, bundle), "dev")
		if err := os.MkdirAll(filepath.Join(dev, "pts"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(dev, "console")); err != nil {
			t.Fatal(err)
		}
		screen, status := onScreen(t, r.command("run", "-b", bundle, testenv.ID(t)), nil)
		if _, err := os.Lstat(target); err == nil {
			t.Errorf("readonly %v: %s was made on the host; status %d, screen %q", readonly, target, status, screen)
		}
		if status != 0 && !strings.Contains(screen, "/dev/console") {
			t.Errorf("readonly %v: status %d, screen %q", readonly, status, screen)
		}
	}
}

// TestTerminalWithoutDevpts: without a devpts the message says where the runtime looked for one.
func TestTerminalWithoutDevpts(t *testing.T) {
	r := newRuntime(t)
	bundle := shell(t, "true", func(c map[string]any) {
		process(c)["terminal"] = true
		var kept []any
		for _, m := range c["mounts"].([]any) {
			if m.(map[string]any)["destination"] != "/dev/pts" {
				kept = append(kept, m)
			}
		}
		c["mounts"] = kept
	})
	screen, status := onScreen(t, r.command("run", "-b", bundle, testenv.ID(t)), nil)
	if status != 1 || !strings.Contains(screen, "/dev/pts/ptmx") || strings.Count(screen, "\n") != 1 {
		t.Errorf("status %d, screen %q", status, screen)
	}
}
