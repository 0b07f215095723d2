//go:build !race && !msan && !asan && !handfast_nofork

package rawfork

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

// The numbers of descriptors in the children of these tests.
const (
	outFD = iota + 1
	exeFD
	nsFD
	aliveFD
	wordFD
	restFD
)

// job returns a program that closes everything except out, the program's file and ns, and then does what fill adds.
func job(t testing.TB, path string, out, ns *os.File, fill func(p *Program), argv ...string) *Program {
	t.Helper()
	exe, err := os.OpenFile(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exe.Close() })
	p := &Program{}
	p.Dup2(high(t, out), outFD, false)
	p.Dup2(high(t, exe), exeFD, true)
	if ns != nil {
		p.Dup2(high(t, ns), nsFD, true)
	}
	if fill == nil {
		fill = func(*Program) {}
	}
	fill(p)
	if err := p.Execute(exeFD, argv, []string{"A=b"}); err != nil {
		t.Fatal(err)
	}
	return p
}

// high returns a copy of f above the numbers that the children use.
func high(t testing.TB, f *os.File) int {
	t.Helper()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func outFile(t testing.TB) *os.File {
	t.Helper()
	f, err := os.CreateTemp(testenv.Dir(t), "out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func said(t testing.TB, f *os.File) string {
	t.Helper()
	data, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var options = Options{Cgroup: -1, Alive: aliveFD, Word: wordFD}

// finish waits until a child executes its program, and then for its end.
func finish(t testing.TB, c *Child) int {
	t.Helper()
	pid, pidfd, err := c.Wait(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(pidfd)
	return wait(pid).ExitStatus()
}

func TestExecutes(t *testing.T) {
	out := outFile(t)
	c, err := Start(job(t, "/bin/sh", out, nil, func(p *Program) { p.CloseFrom(restFD) }, "sh", "-c",
		// Only built-in commands: a shell that makes another process has the ends of a pipe open meanwhile.
		`echo $A; for n in 0 1 2 3 4 5 6 7 8 9; do [ ! -e /proc/$$/fd/$n ] || printf "$n "; done; exit 7`), options)
	if err != nil {
		t.Fatal(err)
	}
	if s := finish(t, c); s != 7 {
		t.Errorf("status %d", s)
	}
	if got := said(t, out); got != "b\n0 1 " {
		t.Errorf("%q", got)
	}
}

// TestSecondChildIsInThePIDNamespace: the member of a new pid namespace is the child's child, but a child of the
// caller.
func TestSecondChildIsInThePIDNamespace(t *testing.T) {
	testenv.Root(t)
	holder := exec.Command("sleep", "1000")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWUSER | unix.CLONE_NEWNS |
		unix.CLONE_NEWUTS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 10}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 10}}}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Process.Kill(); _ = holder.Wait() }()
	fd, err := unix.PidfdOpen(holder.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	pidfd := os.NewFile(uintptr(fd), "pidfd")
	defer pidfd.Close()
	out := outFile(t)
	c, err := Start(job(t, "/bin/sh", out, pidfd, func(p *Program) {
		p.Call("prctl PR_SET_DUMPABLE", unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0)
		p.CloseFrom(restFD)
		p.Setns(nsFD, unix.CLONE_NEWPID|unix.CLONE_NEWUSER|unix.CLONE_NEWNS|unix.CLONE_NEWUTS, "setns")
		p.Call("setresuid 0", unix.SYS_SETRESUID, 0, 0, 0)
		p.Fork(unix.CLONE_NEWIPC)
		p.Close(nsFD)
	}, "sh", "-c", "id -u; echo $$"), options)
	if err != nil {
		t.Fatal(err)
	}
	if s := finish(t, c); s != 0 {
		t.Errorf("status %d: %s", s, said(t, out))
	}
	if got := said(t, out); got != "0\n2\n" {
		t.Errorf("%q", got)
	}
}

func TestAwait(t *testing.T) {
	for _, word := range []bool{true, false} {
		out := outFile(t)
		c, err := Start(job(t, "/bin/sh", out, nil, func(p *Program) { p.CloseFrom(restFD); p.Await(wordFD) }, "sh", "-c",
			"echo on"), options)
		if err != nil {
			t.Fatal(err)
		}
		if got := said(t, out); got != "" {
			t.Errorf("before the word: %q", got)
		}
		if !word {
			c.word.Close()
			if _, _, err := c.Wait(context.Background()); !errors.Is(err, unix.ECANCELED) {
				t.Errorf("the parent is gone: %v", err)
			}
			continue
		}
		if err := c.Go(); err != nil {
			t.Fatal(err)
		}
		if finish(t, c); said(t, out) != "on\n" {
			t.Errorf("after it: %q", said(t, out))
		}
	}
}

func TestErrorsNameTheCall(t *testing.T) {
	testenv.Root(t)
	for want, fill := range map[string]func(p *Program){
		"enter the moon: bad file descriptor": func(p *Program) { p.Setns(99, 0, "enter the moon") },
		"enter the sun: invalid argument":     func(p *Program) { p.Setns(outFD, 0, "enter the sun") },
		"chroot (again): operation not permitted": func(p *Program) {
			p.Call("setresuid", unix.SYS_SETRESUID, 65534, 65534, 65534)
			p.Again(p.Try("chroot", unix.SYS_CHROOT, Keep(p, &[2]byte{'/'})))
		},
	} {
		c, err := Start(job(t, "/bin/true", outFile(t), nil, fill, "true"), options)
		if err != nil {
			t.Fatal(err)
		}
		var e *Error
		if _, _, err := c.Wait(context.Background()); !errors.As(err, &e) || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestAgain: Again only repeats a call that has failed with EPERM.
func TestAgain(t *testing.T) {
	testenv.Root(t)
	out := outFile(t)
	c, err := Start(job(t, "/bin/sh", out, nil, func(p *Program) {
		p.CloseFrom(restFD)
		first := p.Try("become 7", unix.SYS_SETRESUID, 7, 7, 0)
		second := p.Try("become 8", unix.SYS_SETRESUID, 8, 8, 0)
		p.Call("become root", unix.SYS_SETRESUID, 7, 0, 0)
		p.Again(first)  // it has succeeded: nothing happens
		p.Again(second) // it has failed with EPERM: now it succeeds
	}, "sh", "-c", "id -ru"), options)
	if err != nil {
		t.Fatal(err)
	}
	if finish(t, c); said(t, out) != "8\n" {
		t.Errorf("%q", said(t, out))
	}
}

func TestCancelled(t *testing.T) {
	c, err := Start(job(t, "/bin/true", outFile(t), nil, func(p *Program) { p.Fork(0); p.Await(wordFD) }, "true"), options)
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(context.Background(), 50*time.Millisecond, cause)
	defer cancel()
	if _, _, err := c.Wait(ctx); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}

func TestKilledFirstChild(t *testing.T) {
	c, err := Start(job(t, "/bin/true", outFile(t), nil, func(p *Program) { p.Await(wordFD); p.Fork(0) }, "true"), options)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(c.PID(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Wait(context.Background()); err == nil || !strings.Contains(err.Error(), "signal 9") {
		t.Errorf("%v", err)
	}
}

// ways runs a test with each way to make a process.
func ways(t *testing.T, f func(t *testing.T)) {
	defer known.Store(known.Load())
	for w := clearing; w <= byClone; w++ {
		t.Run(fmt.Sprint("way ", w), func(t *testing.T) {
			known.Store(int32(w))
			f(t)
			if got := way(known.Load()); got != w {
				t.Errorf("%v did not work, %v did", w, got)
			}
		})
	}
}

// TestSignals: whatever signals this process catches, ignores or blocks, the child has the defaults.
func TestSignals(t *testing.T) {
	signal.Ignore(unix.SIGUSR1, unix.SIGTSTP, unix.SIGPIPE, unix.Signal(40))
	defer signal.Reset(unix.SIGUSR1, unix.SIGTSTP, unix.SIGPIPE, unix.Signal(40))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var blocked, old unix.Sigset_t
	blocked.Val[0] = 1<<(unix.SIGINT-1) | 1<<(unix.SIGTERM-1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, &old); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil) }()
	script := []string{"sh", "-c", "grep -c -E '^Sig(Blk|Ign):.0*$' /proc/self/status"}
	ways(t, func(t *testing.T) {
		out := outFile(t)
		c, err := Start(job(t, "/bin/sh", out, nil, nil, script...), options)
		if err != nil {
			t.Fatal(err)
		}
		if s := finish(t, c); s != 0 || said(t, out) != "2\n" {
			t.Errorf("started: status %d, %q", s, said(t, out))
		}
		if out = outFile(t); !CanShare {
			return
		}
		if s, err := shared(t, []int{high(t, out), high(t, out)}, script); s != 0 || err != nil || said(t, out) != "2\n" {
			t.Errorf("run: status %d, %v, %q", s, err, said(t, out))
		}
	})
}

// shared runs a program of the shell with these descriptors, and waits for its end.
func shared(t testing.TB, fds []int, argv []string) (status int, err error) {
	t.Helper()
	p := &Program{}
	p.Files(fds)
	if err := p.ExecutePath("/bin/sh", argv, []string{"A=b"}); err != nil {
		t.Fatal(err)
	}
	pid, pidfd, err := Run(p, Options{Cgroup: -1})
	if err != nil {
		return 0, err
	}
	unix.Close(pidfd)
	return wait(pid).ExitStatus(), nil
}

// TestFiles: descriptors arrive in their order, and stay open, whatever numbers they have had.
func TestFiles(t *testing.T) {
	for _, fds := range [][]int{
		{0, 1, 2, 18, 19}, {3, 2, 1, 0}, {1, 0}, {7, 7, 0, 1, 7}, {5, 0, 1, 2, 3}, {0, 0, 0}, {1, 2},
	} {
		p := &Program{}
		p.Files(fds)
		type file struct {
			was     int
			cloexec bool
		}
		open := map[int]file{}
		for _, fd := range fds {
			open[fd] = file{fd, true}
		}
		for _, c := range p.calls {
			from, ok := open[int(c.args[0])]
			if !ok {
				t.Errorf("%v: %s: %d is not open", fds, c.text, c.args[0])
			}
			switch c.trap {
			case unix.SYS_DUP3:
				open[int(c.args[1])] = file{from.was, c.args[2] == unix.O_CLOEXEC}
			case unix.SYS_FCNTL:
				open[int(c.args[0])] = file{from.was, c.args[2] == unix.FD_CLOEXEC}
			}
		}
		for i, fd := range fds {
			if open[i] != (file{fd, false}) {
				t.Errorf("%v: %d is %+v", fds, i, open[i])
			}
		}
	}
}

// TestRunNamesTheCall: the error of a child in its parent's memory has the call that failed, and no child is left.
func TestRunNamesTheCall(t *testing.T) {
	if !CanShare {
		t.Skip("this architecture cannot run a child in its parent's memory")
	}
	p := &Program{}
	p.Close(99)
	if err := p.ExecutePath("/bin/true", []string{"true"}, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err := Run(p, Options{Cgroup: -1})
	if !errors.Is(err, unix.EBADF) || err.Error() != "close 99: bad file descriptor" {
		t.Error(err)
	}
	p = &Program{}
	if err := p.ExecutePath("/no/such", []string{"true"}, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Run(p, Options{Cgroup: -1}); !errors.Is(err, unix.ENOENT) {
		t.Error(err)
	}
	if _, _, err := Run(p, Options{Cgroup: -1, Flags: unix.CLONE_THREAD}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a clone that cannot be: %v", err)
	}
}

// TestTenThousand forks while the heap is busy, goroutines come and go, and the collector runs, so that the child is a
// copy of any moment.
func TestTenThousand(t *testing.T) {
	times := 10000
	if testing.Short() {
		times = 1000
	}
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 3 {
		load.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				m := map[string][]byte{}
				for i := range 100 {
					m[strconv.Itoa(n+i)] = make([]byte, 1000+i)
				}
				load.Go(func() { _ = strings.Repeat("x", 10000+len(m)) })
			}
		})
	}
	defer load.Wait()
	defer close(stop)
	program, err := os.OpenFile(testenv.Tool(t, "busybox", "busybox-static"), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	out, exe := high(t, outFile(t)), high(t, program)
	for i := range times {
		p := &Program{}
		p.Dup2(out, outFD, false)
		p.Dup2(exe, exeFD, true)
		p.CloseFrom(restFD)
		if i%3 == 1 {
			p.Fork(0)
		}
		if err := p.Execute(exeFD, []string{"true"}, nil); err != nil {
			t.Fatal(err)
		}
		if i%3 == 2 && CanShare {
			pid, pidfd, err := Run(p, Options{Cgroup: -1})
			if err != nil {
				t.Fatal(err)
			}
			unix.Close(pidfd)
			if s := wait(pid).ExitStatus(); s != 0 {
				t.Fatalf("round %d: status %d", i, s)
			}
			continue
		}
		c, err := Start(p, options)
		if err != nil {
			t.Fatal(err)
		}
		if s := finish(t, c); s != 0 {
			t.Fatalf("round %d: status %d", i, s)
		}
	}
}
