package lifecycle

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

func TestParseSignal(t *testing.T) {
	for text, want := range map[string]unix.Signal{
		"TERM": 15, "SIGTERM": 15, "sigkill": 9, "9": 9, "0": 0, "64": 64, "usr1": unix.SIGUSR1, "SIGRTMIN": 34,
		"RTMIN+3": 37, "RTMAX": 64, "SIGRTMAX-2": 62,
	} {
		if got, err := ParseSignal(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "65", "-1", "NOSUCH", "SIG", "RTMIN-1", "RTMAX+1", "RTMIN3", "RTMIN+", "9x",
		"99999999999999999999"} {
		if got, err := ParseSignal(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

// TestSignalNames checks that every signal with a name is found by it, with and without SIG, in any case.
func TestSignalNames(t *testing.T) {
	for n := unix.Signal(1); n <= 31; n++ {
		name := unix.SignalName(n)
		for _, text := range []string{name, strings.ToLower(name), strings.TrimPrefix(name, "SIG")} {
			if got, err := ParseSignal(text); err != nil || got != n {
				t.Errorf("%q: %v, %v; want %d", text, got, err, n)
			}
		}
	}
}

func TestForwardedSignals(t *testing.T) {
	seen := map[unix.Signal]bool{}
	for _, s := range Forwarded() {
		if seen[s] {
			t.Errorf("%v stands twice", s)
		}
		seen[s] = true
	}
	for _, s := range []unix.Signal{unix.SIGCHLD, unix.SIGURG, unix.SIGWINCH, unix.SIGPIPE, unix.SIGKILL, unix.SIGSTOP,
		unix.SIGSEGV} {
		if seen[s] {
			t.Errorf("%v is forwarded", s)
		}
	}
	for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, 34, 64} {
		if !seen[s] {
			t.Errorf("%v is not forwarded", s)
		}
	}
}

func TestTerminalRules(t *testing.T) {
	for _, c := range []struct {
		terminal, detached bool
		socket             string
		ok                 bool
	}{
		{false, false, "", true}, {false, true, "", true}, {true, false, "", true}, {true, true, "/s", true},
		{true, true, "", false}, {false, true, "/s", false}, {false, false, "/s", false}, {true, false, "/s", false},
	} {
		err := checkTerminal(c.terminal, c.detached, c.socket)
		if (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
		if err != nil && !strings.Contains(err.Error(), "--console-socket") {
			t.Errorf("%+v: %v does not say which option", c, err)
		}
	}
}

func TestRootDir(t *testing.T) {
	for _, c := range []struct {
		flag       string
		privileged bool
		xdg, want  string
	}{
		{"/r", true, "/run/user/0", "/r"}, {"/r", false, "", "/r"}, {"", true, "/run/user/0", "/run/handfast"},
		{"", false, "/run/user/7", "/run/user/7/handfast"}, {"", false, "", "/run/handfast"},
	} {
		if got := RootDir(c.flag, c.privileged, c.xdg); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestTable(t *testing.T) {
	all := []state.OCI{
		{ID: "short", PID: 12, Status: state.Running, Bundle: "/b", Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
			Owner: "root"},
		{ID: "a-rather-long-id-of-a-container", PID: 0, Status: state.Stopped, Bundle: "/a/long/path/to/a/bundle",
			Created: time.Unix(0, 0).UTC(), Owner: "#1000"},
		{ID: "hostile", PID: 1, Status: state.Running, Bundle: "/größer\x1b[2J\nid   7   running",
			Created: time.Unix(0, 0).UTC(), Owner: "root"},
	}
	text := Table(nil) + Table(all) + JSON(nil) + JSON(all) + StateJSON(all[0]) + IDs(all)
	golden.Compare(t, filepath.Join("testdata", "list.txt"), text)
}

func TestPIDFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pid")
	for _, pid := range []int{1, 4194304} {
		if err := writePIDFile(path, pid); err != nil {
			t.Fatal(err)
		}
	}
	if data, _ := os.ReadFile(path); string(data) != "4194304" {
		t.Errorf("%q", data)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
	if err := writePIDFile("/nonexistent/pid", 1); !errors.Is(err, unix.ENOENT) {
		t.Errorf("%v", err)
	}
}

func TestJoinIsOneLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var errs []error
		n := 0
		for _, word := range rapid.SliceOf(rapid.StringMatching(`[a-z]*`)).Draw(t, "words") {
			var err error
			if word != "" {
				err = errors.New(word)
				n++
			}
			errs = append(errs, err)
		}
		joined := Join(errs...)
		if (joined == nil) != (n == 0) {
			t.Fatalf("%v of %v", joined, errs)
		}
		for _, err := range errs {
			if err != nil && !errors.Is(joined, err) {
				t.Fatalf("%v is not in %v", err, joined)
			}
		}
		if joined != nil && strings.Contains(joined.Error(), "\n") {
			t.Fatal(joined)
		}
	})
}

// TestOpenProcess checks that only the intended process is opened.
func TestOpenProcess(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	started, alive, err := state.ProcessStart(pid)
	if err != nil || !alive {
		t.Fatal(alive, err)
	}
	if _, err := openProcess(pid, started+1); !errors.Is(err, errGone) {
		t.Errorf("a process that started at another time: %v", err)
	}
	h, err := openProcess(pid, started)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if err := h.signal(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := h.wait(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := openProcess(pid, started); !errors.Is(err, errGone) {
		t.Errorf("a zombie: %v", err)
	}
	_ = cmd.Wait()
	for _, pid := range []int{0, -1, pid} {
		if _, err := openProcess(pid, started); !errors.Is(err, errGone) {
			t.Errorf("process %d: %v", pid, err)
		}
	}
	if err := h.signal(unix.SIGTERM); !errors.Is(err, errGone) {
		t.Errorf("signal after the end: %v", err)
	}
}

// TestReap checks that orphans are reaped too, and that the one process is recognized.
func TestReap(t *testing.T) {
	var ours int
	for _, status := range []string{"3", "7"} {
		cmd := exec.Command("sh", "-c", "exit "+status)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ours = cmd.Process.Pid
		_ = cmd.Process.Release() // reap waits for it
	}
	var ws syscall.WaitStatus
	for ended := false; !ended; time.Sleep(time.Millisecond) {
		var err error
		if ws, ended, err = reap(ours); err != nil {
			t.Fatal(err)
		}
	}
	if exitStatus(ws) != 7 {
		t.Errorf("status %d, want 7", exitStatus(ws))
	}
	for { // the other one may end later
		if _, err := syscall.Wait4(-1, nil, 0, nil); err == syscall.ECHILD {
			break
		}
	}
	if _, _, err := reap(ours); !errors.Is(err, unix.ECHILD) {
		t.Errorf("nothing left to reap: %v", err)
	}
}

func TestExitStatus(t *testing.T) {
	for ws, want := range map[syscall.WaitStatus]int{0: 0, 7 << 8: 7, 255 << 8: 255, 9: 137, 15: 143, 0x80 | 11: 139} {
		if got := exitStatus(ws); got != want {
			t.Errorf("%#x: %d, want %d", uint32(ws), got, want)
		}
	}
}
