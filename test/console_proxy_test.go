package test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// onScreen runs a command on a terminal of its own. When the command has ended, it returns what the terminal showed,
// and the status. act, if not nil, runs when "ready" appears.
func onScreen(t testing.TB, cmd *exec.Cmd, act func(user, terminal *os.File)) (screen string, status int) {
	t.Helper()
	user, terminal := openPTY(t, 24, 80)
	before := mode(t, terminal)
	if cmd.Stdout == nil {
		onTerminal(cmd, terminal)
	} else {
		out := cmd.Stdout
		onTerminal(cmd, terminal)
		cmd.Stdout = out
	}
	start(t, cmd)
	var seen bytes.Buffer
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() { ended <- cmd.Wait() }()
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		buf := make([]byte, 4096)
		for told := false; ; {
			n, err := user.Read(buf)
			seen.Write(buf[:n])
			if !told && strings.Contains(seen.String(), "ready") {
				close(ready)
				told = true
			}
			if err != nil {
				return
			}
		}
	}()
	if act != nil {
		select {
		case <-ready:
			act(user, terminal)
		case <-time.After(patience):
			t.Fatal("the program did not report that it is ready")
		}
	}
	select {
	case <-ended:
	case <-time.After(3 * patience):
		t.Errorf("the command does not end; its threads are at\n%s", threads(cmd.Process.Pid))
		_ = cmd.Process.Kill()
		<-ended
	}
	if after := mode(t, terminal); after != before {
		t.Errorf("the terminal's mode was not restored:\nbefore %+v\nafter  %+v", before, after)
	}
	terminal.Close() // the reader gets EIO when it has read all
	<-reading
	return seen.String(), cmd.ProcessState.ExitCode()
}

// TestTerminalIsGivenBack: however the command ends, except by SIGKILL, it restores the mode of the terminal (onScreen
// compares).
func TestTerminalIsGivenBack(t *testing.T) {
	r := newRuntime(t)
	for name, c := range map[string]struct {
		script string
		signal syscall.Signal // to the command
		status int
	}{
		"exit":    {"echo ready; exit 3", 0, 3},
		"killed":  {"echo ready; kill -KILL $$; exec sleep 1000", 0, 128 + 9},
		"SIGTERM": {"trap 'exit 4' TERM; echo ready; while :; do sleep 0.1; done", unix.SIGTERM, 4},
		"SIGHUP":  {"trap 'exit 5' HUP; echo ready; while :; do sleep 0.1; done", unix.SIGHUP, 5},
		"SIGINT":  {"trap 'exit 6' INT; echo ready; while :; do sleep 0.1; done", unix.SIGINT, 6},
		"SIGQUIT": {"trap 'exit 7' QUIT; echo ready; while :; do sleep 0.1; done", unix.SIGQUIT, 7},
	} {
		bundle := shell(t, c.script, func(config map[string]any) {
			process(config)["terminal"] = true
			if name == "killed" { // the first process of a pid namespace cannot kill itself
				linux(config)["namespaces"] = linux(config)["namespaces"].([]any)[1:]
			}
		})
		cmd := r.command("run", "-b", bundle, testenv.ID(t))
		screen, status := onScreen(t, cmd, func(_, terminal *os.File) {
			if c.signal != 0 {
				if mode(t, terminal).Lflag&unix.ICANON != 0 {
					t.Errorf("%s: not in raw mode", name)
				}
				_ = cmd.Process.Signal(c.signal)
			}
		})
		if status != c.status || screen != "ready\r\n" {
			t.Errorf("%s: status %d, want %d; screen %q", name, status, c.status, screen)
		}
	}
	bundle := shell(t, "", func(config map[string]any) {
		process(config)["terminal"] = true
		testenv.SetArgs(config, "/bin/none")
	})
	if screen, status := onScreen(t, r.command("run", "-b", bundle, testenv.ID(t)), nil); status == 0 ||
		!strings.Contains(screen, "/bin/none") {
		t.Errorf("a program that is not there: status %d, screen %q", status, screen)
	}
}

// TestJobControl: a command that is stopped restores the terminal, and takes it again when it continues.
func TestJobControl(t *testing.T) {
	r := newRuntime(t)
	bundle := shell(t, "echo ready; read line; echo got $line $(stty size)",
		func(c map[string]any) { process(c)["terminal"] = true })
	cmd := r.command("run", "-b", bundle, testenv.ID(t))
	screen, status := onScreen(t, cmd, func(user, terminal *os.File) {
		raw := func() bool { return mode(t, terminal).Lflag&unix.ICANON == 0 }
		if !raw() {
			t.Error("not in raw mode")
		}
		_ = cmd.Process.Signal(unix.SIGTSTP)
		eventually(t, "stopped, with the mode restored", func() bool {
			stat, _ := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/stat")
			return strings.Contains(string(stat), ") T ") && !raw()
		})
		resize(t, user, 10, 20)
		_ = cmd.Process.Signal(unix.SIGCONT)
		eventually(t, "raw again", raw)
		_, _ = io.WriteString(user, "line\n")
	})
	if status != 0 || !strings.Contains(screen, "got line 10 20\r\n") {
		t.Errorf("status %d, screen %q", status, screen)
	}
}

// TestOutputBytes checks that output is as with runc: on a terminal lines end in CR LF, and in a file they are as the
// program wrote them.
func TestOutputBytes(t *testing.T) {
	r := newRuntime(t)
	bundle := shell(t, `printf 'one\ntwo\r\nt\tb\n'`, func(c map[string]any) { process(c)["terminal"] = true })
	if screen, _ := onScreen(t, r.command("run", "-b", bundle, testenv.ID(t)), nil); screen != "one\r\ntwo\r\r\nt\tb\r\n" {
		t.Errorf("on a terminal: %q", screen)
	}
	var file bytes.Buffer
	cmd := r.command("run", "-b", bundle, testenv.ID(t))
	cmd.Stdout = &file
	if screen, _ := onScreen(t, cmd, nil); file.String() != "one\ntwo\r\nt\tb\n" || screen != "" {
		t.Errorf("in a pipe: %q; on the terminal: %q", file.String(), screen)
	}
}

// TestNoOutputIsLost: output that a program wrote right before its end arrives, even if its reader is slow, and even if
// a process that has the terminal open outlives the program.
func TestNoOutputIsLost(t *testing.T) {
	r := newRuntime(t)
	for name, script := range map[string]string{"ends": "seq 1 60000",
		"leaves a process behind": "sleep 1000 & seq 1 60000"} {
		bundle := shell(t, script, func(c map[string]any) {
			process(c)["terminal"] = true
			if name != "ends" {
				linux(c)["namespaces"] = linux(c)["namespaces"].([]any)[1:]
			}
		})
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		// The reader waits until much is in the pipe.
		cmd := r.command("run", "-b", bundle, testenv.ID(t))
		_, terminal := openPTY(t, 24, 80)
		onTerminal(cmd, terminal)
		cmd.Stdout = writer
		start(t, cmd)
		writer.Close()
		filled := func() bool {
			n, err := unix.IoctlGetInt(int(reader.Fd()), unix.TIOCINQ)
			return err == nil && n >= 16<<10
		}
		eventually(t, "a pipe that fills", filled)
		data, err := io.ReadAll(reader)
		_ = cmd.Wait()
		if lines := strings.Count(string(data), "\n"); err != nil || lines != 60000 ||
			!strings.HasSuffix(string(data), "60000\n") {
			t.Errorf("%s: %d lines, want 60000 (%v)", name, lines, err)
		}
	}
}

// TestOutputNobodyReads: if its reader goes away, the container's terminal hangs up; the command ends, and restores its
// own terminal.
func TestOutputNobodyReads(t *testing.T) {
	r := newRuntime(t)
	bundle := shell(t, "trap 'exit 8' HUP; while :; do echo more; done",
		func(c map[string]any) { process(c)["terminal"] = true })
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	cmd := r.command("run", "-b", bundle, testenv.ID(t))
	cmd.Stdout = writer
	if _, status := onScreen(t, cmd, nil); status <= 0 {
		t.Errorf("status %d", status)
	}
	writer.Close()
}

// TestTerminalVanishes: the same happens if the terminal is gone.
func TestTerminalVanishes(t *testing.T) {
	r := newRuntime(t)
	bundle := shell(t, "echo ready; exec cat", func(c map[string]any) { process(c)["terminal"] = true })
	user, terminal := openPTY(t, 24, 80)
	cmd := r.command("run", "-b", bundle, testenv.ID(t))
	onTerminal(cmd, terminal)
	start(t, cmd)
	newLines(io.LimitReader(user, 7)).want(t, "ready")
	terminal.Close()
	user.Close()
	_ = cmd.Wait()
}

// threads returns, for each thread of a process, its name, its state, and where it waits in the kernel.
func threads(pid int) string {
	var b strings.Builder
	dirs, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, dir := range dirs {
		for _, file := range []string{"stat", "syscall", "stack"} {
			text, err := os.ReadFile(filepath.Join(dir, file))
			fmt.Fprintf(&b, "%s/%s: %s %v\n", dir, file, strings.TrimSpace(string(text)), err)
		}
	}
	return b.String()
}
