// Package filter tests how a seccomp filter is applied to a program, with filters made by hand: what the child does
// after it has loaded one, what it requests from its parent, and what happens if the kernel refuses a filter.
package filter

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/nsinit"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{First: func() { nsinit.Main() }}) }

// rules returns a filter with one action for some calls, and another for all others.
func rules(otherwise uint32, of map[uint32]uint32) []byte {
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // seccomp_data.nr
	for call, action := range of {
		program = append(program,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action})
	}
	program = append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: otherwise})
	var out []byte
	for _, i := range program {
		out = binary.NativeEndian.AppendUint16(out, i.Code)
		out = append(out, i.Jt, i.Jf)
		out = binary.NativeEndian.AppendUint32(out, i.K)
	}
	return out
}

// allow returns a filter that allows some calls and ends the process at any other.
func allow(calls ...uint32) []byte {
	of := map[uint32]uint32{}
	for _, c := range calls {
		of[c] = unix.SECCOMP_RET_ALLOW
	}
	return rules(unix.SECCOMP_RET_KILL_PROCESS, of)
}

// tight returns a root file system whose /bin/tight only makes the system calls write(2) and exit(2).
func tight(t *testing.T) string {
	t.Helper()
	testenv.Root(t)
	dir := testenv.Busybox(t)
	cc := testenv.Tool(t, "cc", "gcc")
	out, err := exec.Command(cc, "-O1", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-o",
		filepath.Join(dir, "bin/tight"), "testdata/tight.c").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// under returns a container with a filter.
func under(root string, f *container.Seccomp, args ...string) spawn.Config {
	cfg := spawn.Config{Container: spawn.Container{
		ID: "filtered", Root: container.Root{Path: root},
		Mounts:  []container.Mount{{Destination: "/proc", Type: "proc", Source: "proc"}},
		Process: container.Process{Args: args, Cwd: "/", Env: []string{"PATH=/bin"}, Seccomp: f, NoNewPrivs: true},
	}}
	for _, k := range []string{container.NSPid, container.NSMount} {
		cfg.Namespaces = append(cfg.Namespaces, spawn.Namespace{Kind: k})
	}
	return cfg
}

// run starts the container and returns its program's output and how it ended.
func run(t *testing.T, cfg spawn.Config) (string, syscall.WaitStatus) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	cfg.Files = [3]*os.File{nil, write, write}
	p, err := spawn.Start(t.Context(), cfg)
	if err == nil && cfg.Gate != "" {
		gate := spawn.Gate{Path: cfg.Gate, PID: p.PID(), PIDFD: p.PIDFD(), Listener: cfg.Listener}
		if err = spawn.OpenGate(t.Context(), gate); err != nil {
			_ = p.Signal(unix.SIGKILL)
			_, _ = p.Wait(context.Background())
			_ = p.Release()
		}
	}
	_ = write.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	out, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	status, err := p.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(out), status
}

// each calls f for each way to load a filter: with and without no_new_privs, immediately and after a gate.
func each(t *testing.T, f func(t *testing.T, change func(*spawn.Config))) {
	for _, privs := range []string{"no_new_privs", "privileges"} {
		for _, gate := range []string{"at once", "gate"} {
			t.Run(privs+" "+gate, func(t *testing.T) {
				f(t, func(c *spawn.Config) {
					c.Container.Process.NoNewPrivs = privs == "no_new_privs"
					if gate == "gate" {
						c.Gate = filepath.Join(testenv.Dir(t), "gate")
					}
				})
			})
		}
	}
}

// TestNothingButTheProgramsOwnCalls: the runtime only needs the execution to be allowed. It runs many times, because
// the concurrent work of the Go runtime differs.
func TestNothingButTheProgramsOwnCalls(t *testing.T) {
	root, rounds := tight(t), 15
	if testenv.Virtual() {
		rounds = 5
	}
	f := &container.Seccomp{Filter: allow(unix.SYS_EXECVE, unix.SYS_WRITE, unix.SYS_EXIT)}
	each(t, func(t *testing.T, change func(*spawn.Config)) {
		for range rounds {
			cfg := under(root, f, "/bin/tight")
			change(&cfg)
			if out, status := run(t, cfg); out != "tight\n" || status.ExitStatus() != 7 {
				t.Fatalf("%q, status %#x", out, status)
			}
		}
	})
}

// TestCapabilitiesAreThoseAskedFor uses a user that is not root. The capability to load the filter must be gone from
// all sets that matter for the program.
func TestCapabilitiesAreThoseAskedFor(t *testing.T) {
	root := tight(t)
	show := []string{"grep", "-E", "^(Cap|NoNewPrivs|Seccomp:)", "/proc/self/status"}
	for _, uid := range []uint32{0, 1000} {
		each(t, func(t *testing.T, change func(*spawn.Config)) {
			var seen [2]string
			for i, f := range []*container.Seccomp{nil, {Filter: rules(unix.SECCOMP_RET_ALLOW, nil)}} {
				cfg := under(root, f, show...)
				caps := uint64(1<<unix.CAP_KILL | 1<<unix.CAP_CHOWN)
				cfg.Container.Process.UID, cfg.Container.Process.GID = uid, uid
				cfg.Container.Process.Capabilities = container.Capabilities{Bounding: caps, Permitted: caps,
					Effective: caps, Inheritable: 1 << unix.CAP_KILL, Ambient: 1 << unix.CAP_KILL}
				change(&cfg)
				seen[i], _ = run(t, cfg)
			}
			if want := strings.Replace(seen[0], "Seccomp:\t0", "Seccomp:\t2", 1); seen[1] != want ||
				!strings.Contains(want, "Seccomp:\t2") {
				t.Errorf("under a filter:\n%s\nwithout one:\n%s", seen[1], seen[0])
			}
		})
	}
}

// TestLimitOfDescriptors: the soft limit of open files, which the Go runtime raises for itself, is the caller's again.
func TestLimitOfDescriptors(t *testing.T) {
	root := tight(t)
	var seen [2]string
	for i, f := range []*container.Seccomp{nil, {Filter: rules(unix.SECCOMP_RET_ALLOW, nil)}} {
		seen[i], _ = run(t, under(root, f, "grep", "open files", "/proc/self/limits"))
	}
	if seen[0] != seen[1] || seen[0] == "" {
		t.Errorf("under a filter %q, without one %q", seen[1], seen[0])
	}
}

// TestRefusedByTheKernel: if the kernel refuses a filter, the error has the errno and the program's length, immediately
// and after the gate.
func TestRefusedByTheKernel(t *testing.T) {
	root := tight(t)
	f := &container.Seccomp{Filter: rules(unix.SECCOMP_RET_ALLOW, nil)[:8]} // it does not end with a return
	cfg := under(root, f, "/bin/tight")
	_, err := spawn.Start(t.Context(), cfg)
	wanted(t, err, unix.EINVAL,
		"seccomp: seccomp a filter of 1 instructions, flags 0x0: invalid argument (the kernel takes")

	cfg.Gate = filepath.Join(testenv.Dir(t), "gate")
	p, err := spawn.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	err = spawn.OpenGate(t.Context(), spawn.Gate{Path: cfg.Gate})
	wanted(t, err, unix.EINVAL, "a filter of 1 instructions")
	if status, err := p.Wait(t.Context()); err != nil || status.ExitStatus() != 1 {
		t.Errorf("the child: %#x, %v", status, err)
	}
}

func wanted(t *testing.T, err error, is error, text string) {
	t.Helper()
	if !errors.Is(err, is) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %v with %q", err, is, text)
	}
}

// TestRefusedByTheChild: an invalid filter does not reach the kernel.
func TestRefusedByTheChild(t *testing.T) {
	root := tight(t)
	for _, c := range []struct {
		f    container.Seccomp
		want string
	}{
		{container.Seccomp{}, "process.seccomp.filter: 0 bytes; want 8 an instruction"},
		{container.Seccomp{Filter: make([]byte, 12)}, "process.seccomp.filter: 12 bytes"},
		{container.Seccomp{Filter: make([]byte, 8*4097)}, "1 to 4096"},
		{container.Seccomp{Filter: allow(), Flags: unix.SECCOMP_FILTER_FLAG_TSYNC}, "process.seccomp.flags: 0x1"},
		{container.Seccomp{Filter: allow(), Flags: 1 << 5}, "means nothing without a listener"},
	} {
		_, err := spawn.Start(t.Context(), under(root, &c.f, "/bin/tight"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// TestExecutionThatFails: an execution that fails under the filter is still reported, with its errno.
func TestExecutionThatFails(t *testing.T) {
	root := tight(t)
	if err := os.WriteFile(filepath.Join(root, "bin/none"), []byte("nothing"), 0o755); err != nil {
		t.Fatal(err)
	}
	f := &container.Seccomp{Filter: allow(unix.SYS_EXECVE, unix.SYS_WRITE, unix.SYS_CLOSE, unix.SYS_EXIT_GROUP)}
	_, err := spawn.Start(t.Context(), under(root, f, "/bin/none"))
	if err == nil || !strings.Contains(err.Error(), "the child ended at its execution") {
		wanted(t, err, unix.ENOEXEC, "exec /bin/none")
	}
	f.Filter = allow(unix.SYS_EXECVE) // not even the report
	_, err = spawn.Start(t.Context(), under(root, f, "/bin/none"))
	if err == nil || !strings.Contains(err.Error(), "the child ended at its execution") ||
		!strings.Contains(err.Error(), "signal 31") {
		t.Errorf("got %v", err)
	}
	cfg := under(root, f, "/bin/none")
	cfg.Gate = filepath.Join(testenv.Dir(t), "gate")
	p, err := spawn.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	err = spawn.OpenGate(t.Context(), spawn.Gate{Path: cfg.Gate, PID: p.PID(), PIDFD: p.PIDFD()})
	if err == nil || !strings.Contains(err.Error(), "the child ended at its execution") {
		t.Errorf("got %v", err)
	}
	_, _ = p.Wait(t.Context())
	f.Filter = rules(unix.SECCOMP_RET_ALLOW, nil)
	_, err = spawn.Start(t.Context(), under(root, f, "/bin/none"))
	wanted(t, err, unix.ENOEXEC, "exec /bin/none")
}

// TestStartContainerHookIsFiltered: a hook inside the container runs under the filter too, because it is a program of
// the image.
func TestStartContainerHookIsFiltered(t *testing.T) {
	root := tight(t)
	f := &container.Seccomp{Filter: rules(unix.SECCOMP_RET_ALLOW,
		map[uint32]uint32{unix.SYS_SETHOSTNAME: unix.SECCOMP_RET_ERRNO | uint32(unix.EDOM)})}
	each(t, func(t *testing.T, change func(*spawn.Config)) {
		cfg := under(root, f, "/bin/cat", "/said")
		cfg.Container.Hooks.StartContainer = []container.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c",
			"hostname made 2>/said; exit 0"}}}
		change(&cfg)
		if out, _ := run(t, cfg); !strings.Contains(out, "Numerical argument out of domain") && !strings.Contains(out,
			"Math argument out of domain") {
			t.Errorf("the hook: %q", out)
		}
	})
}

// TestListener: the parent gets the listener, and a supervisor that has it decides what a call returns.
func TestListener(t *testing.T) {
	root := tight(t)
	f := &container.Seccomp{Listener: true, Filter: rules(unix.SECCOMP_RET_KILL_PROCESS, map[uint32]uint32{
		unix.SYS_EXECVE: unix.SECCOMP_RET_ALLOW, unix.SYS_READ: unix.SECCOMP_RET_ALLOW,
		unix.SYS_CLOSE: unix.SECCOMP_RET_ALLOW, unix.SYS_FUTEX: unix.SECCOMP_RET_ALLOW,
		unix.SYS_WRITE: unix.SECCOMP_RET_ALLOW, unix.SYS_EXIT: unix.SECCOMP_RET_USER_NOTIF,
	})}
	each(t, func(t *testing.T, change func(*spawn.Config)) {
		for range 5 {
			cfg := under(root, f, "/bin/tight")
			change(&cfg)
			pid := 0
			cfg.Listener = func(_ context.Context, p int, listener *os.File) error {
				pid = p
				time.Sleep(15 * time.Millisecond) // longer than the Go runtime lets a thread run undisturbed
				return listener.Close()           // exit then fails with ENOSYS, and the program spins
			}
			killAfter(&cfg, &pid)
			if out, status := run(t, cfg); out != "tight\n" || status.Signal() != unix.SIGKILL || pid == 0 {
				t.Fatalf("%q, status %#x, process %d", out, status, pid)
			}
		}
	})
}

// killAfter kills the process after it has had time to write.
func killAfter(cfg *spawn.Config, pid *int) {
	inner := cfg.Listener
	cfg.Listener = func(ctx context.Context, p int, l *os.File) error {
		err := inner(ctx, p, l)
		time.AfterFunc(100*time.Millisecond, func() { _ = unix.Kill(*pid, unix.SIGKILL) })
		return err
	}
}

// TestListenerRefused: if no supervisor takes the listener, or one refuses it, the start fails; so it does if the child
// names another descriptor.
func TestListenerRefused(t *testing.T) {
	root := tight(t)
	f := &container.Seccomp{Listener: true, Filter: rules(unix.SECCOMP_RET_ALLOW, nil)}
	cfg := under(root, f, "/bin/tight")
	_, err := spawn.Start(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "there is no Listener") {
		t.Errorf("got %v", err)
	}
	busy := errors.New("the supervisor is busy")
	cfg.Listener = func(_ context.Context, _ int, l *os.File) error { _ = l.Close(); return busy }
	_, err = spawn.Start(t.Context(), cfg)
	wanted(t, err, busy, "busy")

	cfg.Gate = filepath.Join(testenv.Dir(t), "gate")
	p, err := spawn.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	err = spawn.OpenGate(t.Context(), spawn.Gate{Path: cfg.Gate, PID: p.PID(), PIDFD: p.PIDFD(),
		Listener: cfg.Listener})
	wanted(t, err, busy, "busy")
	if status, err := p.Wait(t.Context()); err != nil || status.ExitStatus() != 1 {
		t.Errorf("the child: %#x, %v", status, err)
	}
}
