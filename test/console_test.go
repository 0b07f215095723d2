package test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// openPTY creates a pseudo-terminal of the given size. It returns the user's end, and the end that is a program's
// terminal.
func openPTY(t testing.TB, rows, columns uint16) (user, terminal *os.File) {
	t.Helper()
	user, terminal = testenv.PTY(t)
	resize(t, user, rows, columns)
	return user, terminal
}

func resize(t testing.TB, f *os.File, rows, columns uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(f.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		t.Fatal(err)
	}
}

func mode(t testing.TB, f *os.File) unix.Termios {
	t.Helper()
	m, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *m
}

// onTerminal makes a command the leader of a session whose terminal is the given one.
func onTerminal(cmd *exec.Cmd, terminal *os.File) {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
}

func withTerminal(c map[string]any) {
	process(c)["terminal"] = true
	testenv.SetArgs(c, "/bin/sh", "-i")
	process(c)["env"] = append(process(c)["env"].([]any), "PS1=prompt: ", "TERM=dumb")
}

// TestInteractiveShell types into a shell in a container in the foreground, through a real terminal whose size changes,
// and checks that the mode of the terminal is restored.
func TestInteractiveShell(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	user, terminal := openPTY(t, 24, 80)
	before := mode(t, terminal)
	cmd := r.command("run", "-b", shell(t, "", withTerminal), id)
	onTerminal(cmd, terminal)
	start(t, cmd)
	screen := newLines(user)
	typed := func(text, want string) {
		t.Helper()
		if _, err := io.WriteString(user, text+"\n"); err != nil {
			t.Fatal(err)
		}
		screen.want(t, want)
	}
	typed("echo size=$(stty size)", "size=24 80")
	typed("test -t 0 && test -t 1 && test -t 2 && echo a-$(tty)", "a-/dev/")
	if m := mode(t, terminal); m.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != 0 {
		t.Error("the terminal is not in raw mode while the container runs")
	}
	resize(t, user, 50, 132)
	eventually(t, "the new size arrives", func() bool {
		_, _ = io.WriteString(user, "stty size\n")
		for line := range screen.c {
			if strings.Contains(line, "50 132") {
				return true
			}
			if strings.Contains(line, "24 80") && !strings.Contains(line, "size=") {
				return false
			}
		}
		return false
	})
	// ^C reaches the program in the container, and ends neither the shell nor the runtime. Both commands are in one
	// process, which reports its start and continues: only then is it certainly in the foreground, where the shell puts
	// it.
	typed(`sh -c 'echo be""gin; exec sleep 1000'`, "begin")
	_, _ = io.WriteString(user, "\x03")
	typed(`echo still he""re`, "still here") // input is echoed too: only the shell can have printed this
	_, _ = io.WriteString(user, "exit 5\n")
	_ = cmd.Wait()
	if s := cmd.ProcessState.ExitCode(); s != 5 {
		t.Errorf("status %d, want 5", s)
	}
	if after := mode(t, terminal); after != before {
		t.Errorf("the terminal's mode was not restored:\nbefore %+v\nafter  %+v", before, after)
	}
}

// TestConsoleSocket receives the terminal of a created container as a container manager does.
func TestConsoleSocket(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	path := filepath.Join(testenv.Dir(t), strings.Repeat("long", 30), "console.sock") // longer than a socket address
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(path))
	l, err := net.Listen("unix", "console.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan *os.File, 1)
	go func() { got <- receive(t, l) }()

	r.ok("create", "--console-socket", path, "-b", shell(t, "", func(c map[string]any) {
		withTerminal(c)
		process(c)["consoleSize"] = map[string]any{"height": 30, "width": 100}
	}), id)
	master := <-got
	if master == nil {
		t.Fatal("no terminal arrived")
	}
	defer master.Close()
	r.ok("start", id)
	screen := newLines(master)
	_, _ = io.WriteString(master, "stty size\n")
	screen.want(t, "30 100")
	_, _ = io.WriteString(master, "exit\n")
	r.awaitStatus(id, "stopped")
	r.ok("delete", id)
}

// receive receives one terminal from a connection to the listener.
func receive(t testing.TB, l net.Listener) *os.File {
	c, err := l.Accept()
	if err != nil {
		t.Error(err)
		return nil
	}
	return receiveFrom(t, c)
}

// receiveFrom receives one terminal from a connection, and closes that.
func receiveFrom(t testing.TB, c net.Conn) *os.File {
	defer c.Close()
	name, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	n, cn, _, _, err := c.(*net.UnixConn).ReadMsgUnix(name, control)
	if err != nil {
		t.Error(err)
		return nil
	}
	messages, err := unix.ParseSocketControlMessage(control[:cn])
	if err != nil || len(messages) != 1 {
		t.Errorf("%d control messages, %v", len(messages), err)
		return nil
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 || n == 0 {
		t.Errorf("descriptors %v, name %q, %v", fds, name[:n], err)
		return nil
	}
	unix.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), string(name[:n]))
}

func TestTerminalRules(t *testing.T) {
	r := newRuntime(t)
	plain, tty := shell(t, "exit 0", nil), shell(t, "exit 0", withTerminal)
	r.fails([]string{"--console-socket", "process.terminal"}, "create", "-b", plain, "--console-socket", "/nonexistent",
		testenv.ID(t))
	r.fails([]string{"--console-socket", "process.terminal"}, "create", "-b", tty, testenv.ID(t))
	r.fails([]string{"--console-socket", "process.terminal"}, "run", "--detach", "-b", tty, testenv.ID(t))
	r.fails([]string{"/nonexistent/socket", "no such file"}, "create", "--console-socket", "/nonexistent/socket", "-b",
		tty, testenv.ID(t))

	cmd := r.command("run", "-b", tty, testenv.ID(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // without a terminal anywhere
	r.oneLine(finish(t, cmd), []string{"process.terminal", "terminal"})
}
