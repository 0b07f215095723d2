package faults

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

func script(t *testing.T, text string) (*exec.Cmd, string) {
	t.Helper()
	if !Available {
		t.Skip("faults are made on amd64 alone")
	}
	dir := t.TempDir()
	cmd := exec.Command("/bin/sh", "-c", text)
	cmd.Dir = dir
	return cmd, dir
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

const threeDirectories = "/bin/mkdir a; /bin/mkdir b; /bin/mkdir c; exit 7"

func TestRecords(t *testing.T) {
	cmd, dir := script(t, threeDirectories)
	r, err := Run(cmd, At{Syscall: "mkdir"}, None())
	if err != nil || r.Status.ExitStatus() != 7 || r.Hit != nil || !exists(dir, "c") {
		t.Fatalf("%+v, %v", r, err)
	}
	var paths []string
	for _, c := range r.Calls {
		paths = append(paths, c.Path)
		if c.Own {
			t.Errorf("%v: it was a child of the command that made it", c)
		}
	}
	if got := strings.Join(paths, " "); got != "a b c" {
		t.Errorf("calls: %s", got)
	}
}

func TestErrno(t *testing.T) {
	cmd, dir := script(t, "/bin/mkdir a; /bin/mkdir b 2>said || exit 9")
	r, err := Run(cmd, At{Syscall: "mkdir", N: 2}, Errno(unix.ENOSPC))
	if err != nil || r.Status.ExitStatus() != 9 || r.Hit == nil || r.Hit.Path != "b" {
		t.Fatalf("%+v, %v", r, err)
	}
	said, _ := os.ReadFile(filepath.Join(dir, "said"))
	if !exists(dir, "a") || exists(dir, "b") || !strings.Contains(string(said), "No space left") {
		t.Errorf("mkdir b: %s", said)
	}
}

// TestKill checks that the process that makes the call is killed, be it a child or the command itself, and that the
// call is not made.
func TestKill(t *testing.T) {
	cmd, dir := script(t, threeDirectories)
	r, err := Run(cmd, At{Syscall: "mkdir", N: 2}, Kill())
	if err != nil || r.Status.ExitStatus() != 7 || !exists(dir, "a") || exists(dir, "b") || !exists(dir, "c") {
		t.Errorf("the child killed: %+v, %v", r, err)
	}
	cmd, dir = script(t, "exec /bin/mkdir a b c")
	r, err = Run(cmd, At{Syscall: "mkdir", N: 2}, Kill())
	if err != nil || !r.Status.Signaled() || r.Status.Signal() != unix.SIGKILL ||
		!exists(dir, "a") || exists(dir, "b") {
		t.Errorf("the command killed: %+v, %v", r, err)
	}
	if r.Hit == nil || !r.Hit.Own {
		t.Errorf("%v is the command's own", r.Hit)
	}
}

// TestLetsGo checks that a process that outlives the command continues.
func TestLetsGo(t *testing.T) {
	cmd, dir := script(t, "/bin/mkfifo f; (read x <f; /bin/mkdir late; echo y >f) >/dev/null 2>&1 &")
	if r, err := Run(cmd, At{}, None()); err != nil || r.Status.ExitStatus() != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("x\n"), 0); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || string(data) != "y\n" || !exists(dir, "late") {
		t.Errorf("%q, %v", data, err)
	}
}

// TestEach checks that each process has the fault at its own call, and that calls can be chosen which change nothing.
func TestEach(t *testing.T) {
	cmd, dir := script(t, "/bin/mkdir a b; /bin/mkdir c d; exit 7")
	where := func(c Call) bool { return c.Path != "b" }
	r, err := Run(cmd, At{Syscall: "mkdir", N: 1, Where: where, Each: true}, Errno(unix.ENOSPC))
	if err != nil || r.Hit == nil || r.Hit.Path != "a" || len(r.Calls) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	for name, want := range map[string]bool{"a": false, "b": true, "c": false, "d": true} {
		if exists(dir, name) != want {
			t.Errorf("%s exists: %v", name, !want)
		}
	}
	cmd, _ = script(t, "cd /nowhere; cd /; exit 7")
	r, err = Run(cmd, At{Syscall: "chdir", Any: true}, None())
	if err != nil || len(r.Calls) != 2 || r.Calls[0].Path != "/nowhere" || r.Status.ExitStatus() != 7 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, name := range []string{"mkdirat", "prctl"} {
		if len(Errnos(name)) == 0 {
			t.Errorf("no errors of %s", name)
		}
	}
}

// TestPathOfADescriptor checks that a write is found by the path of its file.
func TestPathOfADescriptor(t *testing.T) {
	cmd, dir := script(t, "echo one >x; echo two >y; echo three >z")
	r, err := Run(cmd, At{Syscall: "write", Path: "/y", N: 1}, Errno(unix.EIO))
	if err != nil || r.Hit == nil || r.Hit.Path != filepath.Join(dir, "y") {
		t.Fatalf("%+v, %v", r, err)
	}
	for name, want := range map[string]string{"x": "one\n", "y": "", "z": "three\n"} {
		if data, _ := os.ReadFile(filepath.Join(dir, name)); string(data) != want {
			t.Errorf("%s: %q", name, data)
		}
	}
}
