package state

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestStatus covers every combination of facts.
func TestStatus(t *testing.T) {
	for bits := range 1 << 5 {
		f := Facts{Creating: bits&1 != 0, Locked: bits&2 != 0, Alive: bits&4 != 0, Gate: bits&8 != 0, Frozen: bits&16 != 0}
		want := Stopped
		switch {
		case f.Creating:
			if f.Locked {
				want = Creating
			}
		case f.Alive && f.Frozen:
			want = Paused
		case f.Alive && f.Gate:
			want = Created
		case f.Alive:
			want = Running
		}
		if got := f.Status(); got != want {
			t.Errorf("%+v is %s, want %s", f, got, want)
		}
	}
}

func TestObserveProcess(t *testing.T) {
	st := New(t.TempDir())
	cmd := exec.Command("/bin/sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started, alive, err := ProcessStart(cmd.Process.Pid)
	if err != nil || !alive || started == 0 {
		t.Fatalf("ProcessStart = %d, %t, %v", started, alive, err)
	}
	s := &State{ID: "x", PID: cmd.Process.Pid, StartTime: started, Gate: filepath.Join(t.TempDir(), "gate")}
	status := func(when, want string) {
		t.Helper()
		if f, err := st.Observe(s); err != nil || f.Status() != want {
			t.Errorf("%s: %+v, %v; want %s", when, f, err, want)
		}
	}
	status("without the gate", Running)
	if err := os.WriteFile(s.Gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	status("with a file in the gate's place", Running)
	_ = os.Remove(s.Gate)
	l, err := net.Listen("unix", s.Gate)
	if err != nil {
		t.Fatal(err)
	}
	status("with the gate", Created)
	_ = l.Close()
	s.StartTime++
	status("another process of that number", Stopped)
	s.StartTime--
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for alive {
		_, alive, err = ProcessStart(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
	}
	status("a zombie", Stopped)
	_ = cmd.Wait()
	status("gone", Stopped)
	s.PID = 0
	status("never there", Stopped)
}

func TestParseStat(t *testing.T) {
	for _, c := range []struct {
		text    string
		started uint64
		alive   bool
		ok      bool
	}{
		{"7 (a) b) c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 9 10", 12345, true, true},
		{"7 (x\n) Z 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 18446744073709551615 9 10", 1<<64 - 1, false, true},
		{"7 (x) Z 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 12345 9 10", 12345, true, true}, // its first thread
		{"7 (x) X 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 0 0 12345 9 10", 12345, false, true},
		{"", 0, false, false},
		{"7 (x) S 1 2", 0, false, false},
		{"7 (x) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 x 0 1 9 10", 0, false, false},
		{"7 (x) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 x 9 10", 0, false, false},
	} {
		started, alive, ok := parseStat([]byte(c.text))
		if ok != c.ok || ok && (started != c.started || alive != c.alive) {
			t.Errorf("%q: %d, %t, %t", c.text, started, alive, ok)
		}
	}
}

// endFirstThread turns a re-executed test binary into a process whose first thread has ended while others
// continue.
func endFirstThread() {
	if os.Getenv("HANDFAST_TEST_FIRST_THREAD") == "" {
		return
	}
	runtime.LockOSThread() // the first thread, as long as no other goroutine has run
	go func() {
		os.Stdout.WriteString("go on\n")
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	_, _, _ = unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
}

// TestTheFirstThreadIsNotTheProcess checks that a process is alive as long as any of its threads, even if the
// first has ended.
func TestTheFirstThreadIsNotTheProcess(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "HANDFAST_TEST_FIRST_THREAD=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _, _ = in.Close(), cmd.Process.Kill(), cmd.Wait() }()
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	stat := "/proc/" + strconv.Itoa(cmd.Process.Pid) + "/stat"
	for {
		b, err := os.ReadFile(stat)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), ") Z ") {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if _, alive, err := ProcessStart(cmd.Process.Pid); err != nil || !alive {
		t.Errorf("alive %t, %v", alive, err)
	}
}

func TestUserName(t *testing.T) {
	passwd := []byte("root:x:0:0:root:/root:/bin/sh\n# a comment\n::5:5\n1000:x:7:7\nlast:x:8:8:")
	for uid, want := range map[string]string{"0": "root", "7": "1000", "8": "last", "5": "#5", "1000": "#1000"} {
		if got := userName(passwd, uid); got != want {
			t.Errorf("uid %s is %q, want %q", uid, got, want)
		}
	}
	if got := UserName(0); got != "root" {
		t.Errorf("uid 0 is %q here", got)
	}
}
