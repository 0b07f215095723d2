package spawn_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/nsinit"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
)

// pool makes a pool that is closed with the test.
func pool(t *testing.T, template spawn.Config, size int) *spawn.Pool {
	t.Helper()
	if template.Container.ID != playedID {
		waiting(t, &template)
	}
	p, err := spawn.NewPool(spawn.PoolConfig{Template: template, Size: size})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p
}

// ran starts a script from the pool and returns what it wrote. The configuration has streams of its own.
func ran(t *testing.T, p *spawn.Pool, cfg spawn.Config, script string) (string, *spawn.Process) {
	t.Helper()
	cfg.Container.Process.Args = []string{"/bin/sh", "-c", script}
	read := output(t, &cfg)
	process, err := p.Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	over(t, process)
	return strings.TrimSpace(read()), process
}

// A start from the pool is a start like any other, with what its own configuration says.
func TestPoolStart(t *testing.T) {
	testenv.Root(t)
	mapped := function()
	mapped.Namespaces = append(mapped.Namespaces, spawn.Namespace{Kind: container.NSUser})
	mapped.UIDMappings = []spawn.IDMap{{HostID: 0, Size: 1000}}
	mapped.GIDMappings = mapped.UIDMappings
	mapped.Container.Root.Readonly = false // it shows the host's root, whose mounts a user namespace cannot change
	small := function()
	small.Compile = nsinit.Compile
	both := mapped
	both.Compile = nsinit.Compile
	timed := function()
	timed.Namespaces = append(timed.Namespaces, spawn.Namespace{Kind: container.NSTime})
	for name, template := range map[string]spawn.Config{
		"whole": function(), "small": small, "mapped": mapped, "small, mapped": both, "timed": timed,
	} {
		t.Run(name, func(t *testing.T) {
			p := pool(t, template, 2)
			if isSmall := p.Child() == "small"; isSmall != (template.Compile != nil && smallchild.Available) {
				t.Errorf("the members are %q", p.Child())
			}
			for i := range 4 {
				cfg := template
				cfg.Container.Hostname = fmt.Sprintf("host%d", i)
				in, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(w, "input %d", i)
				w.Close()
				cfg.Files = [3]*os.File{in, nil, os.Stderr}
				fill(t, p)
				got, process := ran(t, p, cfg, `echo $$ $(uname -n) $(cat) $(ls /proc/self/fd | wc -w)`)
				in.Close()
				// The shell's descriptors are the three streams, and ls opens the directory.
				if want := fmt.Sprintf("1 host%d input %d 4", i, i); got != want {
					t.Errorf("%q, want %q", got, want)
				}
				if !process.Warm() {
					t.Error("the pool was full, but the process is a new one")
				}
				if process.Child() != p.Child() {
					t.Errorf("the child is %q, but the members are %q", process.Child(), p.Child())
				}
			}
			if s := p.Stats(); s.Warm != 4 || s.Cold+s.Lost+s.Stale != 0 || s.Err != nil {
				t.Errorf("%+v", s)
			}
		})
	}
}

// What the template does not say and a start does: a gate, a signal on the parent's death, a filter, a working handler.
func TestPoolStartChooses(t *testing.T) {
	testenv.Root(t)
	template := function()
	p := pool(t, template, 1)
	fill(t, p)
	cfg := template
	h := &recorder{}
	cfg.Handler, cfg.Container.Hooks.Runtime = h, true
	cfg.Gate = filepath.Join(t.TempDir(), "gate")
	cfg.OOMScoreAdj = new(500)
	cfg.Container.Process.ParentDeathSignal = int(unix.SIGKILL)
	cfg.Container.Process.Seccomp = &container.Seccomp{Filter: []byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f}} // ret ALLOW
	cfg.Container.Process.Args = []string{"/bin/sh", "-c",
		`test $(cat /proc/self/oom_score_adj) = 500 && grep -q 'Seccomp:.2' /proc/self/status && read x`}
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer w.Close()
	cfg.Files = [3]*os.File{in, nil, os.Stderr}
	process, err := p.Start(t.Context(), cfg)
	if err != nil || !process.Warm() {
		t.Fatalf("%v", err)
	}
	if want := []string{"started", "hooks", "ready"}; !slices.Equal(h.calls, want) {
		t.Errorf("the handler was called for %q, want %q", h.calls, want)
	}
	if err := spawn.OpenGate(t.Context(), spawn.Gate{Path: cfg.Gate}); err != nil {
		t.Fatal(err)
	}
	// A member is made, on a thread that ends: not the one whose end kills the process.
	if err := p.Fill(t.Context()); err != nil {
		t.Error(err)
	}
	fmt.Fprintln(w, "go on")
	over(t, process)
}

// A member waits for HELLO without a limit, once the first second is over, in which package transport polls more often.
func TestPoolMembersArePatient(t *testing.T) {
	testenv.Root(t)
	pids := fill(t, pool(t, function(), 1))
	eventually(t, "ppoll without a timeout", func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pids[0]))
		return slices.ContainsFunc(threads, func(file string) bool {
			data, _ := os.ReadFile(file)
			call := strings.Fields(string(data)) // the number and the arguments
			return len(call) > 3 && call[0] == strconv.Itoa(unix.SYS_PPOLL) && call[3] == "0x0"
		})
	})
}

// A small child that cannot continue, or may not be used at all, is replaced by a whole one.
func TestPoolFallsBack(t *testing.T) {
	testenv.Root(t)
	if !smallchild.Available {
		t.Skip("no small child in this build")
	}
	template := function()
	template.Compile = nsinit.Compile
	p := pool(t, template, 1)
	before := fill(t, p)

	codecs := template
	codecs.Codec = codec.JSON()
	got, process := ran(t, p, codecs, "echo $$")
	if got != "1" || process.Warm() || process.Child() != "whole: its program or its codec is given" {
		t.Errorf("%q by %q, warm %t", got, process.Child(), process.Warm())
	}
	if after := fill(t, p); !slices.Equal(before, after) {
		t.Errorf("the member that did not serve is gone: %v, then %v", before, after)
	}

	missing := template
	missing.Container.Mounts = missing.Container.Mounts[:1] // in the host's own /dev the links exist
	got, process = ran(t, p, missing, "echo $$")
	if got != "1" || process.Warm() || !strings.HasPrefix(process.Child(), "whole: the small one could not continue at ") {
		t.Errorf("%q by %q, warm %t", got, process.Child(), process.Warm())
	}
	if s := p.Stats(); s.Cold != 2 || s.Warm+s.Lost+s.Stale != 0 {
		t.Errorf("%+v", s)
	}
}

// Members that are killed while they wait are replaced, and do not disturb a start.
func TestPoolMembersAreKilled(t *testing.T) {
	testenv.Root(t)
	template := function()
	p := pool(t, template, 3)
	before := fill(t, p)
	for _, pid := range before {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	if got, _ := ran(t, p, template, "echo $$"); got != "1" {
		t.Errorf("a start while they end: %q", got)
	}
	eventually(t, "three members were lost", func() bool { return p.Stats().Lost == 3 })
	after := fill(t, p)
	if len(after) != 3 || slices.ContainsFunc(after, func(pid int) bool { return slices.Contains(before, pid) }) {
		t.Errorf("the members were %v and are %v", before, after)
	}
	if got, process := ran(t, p, template, "echo $$"); got != "1" || !process.Warm() {
		t.Errorf("a start afterwards: %q, warm %t", got, process.Warm())
	}
}

func TestPoolIsRefused(t *testing.T) {
	for want, c := range map[string]spawn.PoolConfig{
		"size 0: want at least 1":   {},
		"size -3: want at least 1":  {Size: -3},
		"Template.Target: a child ": {Size: 1, Template: spawn.Config{Target: &spawn.Target{}}},
		`template: init "x": want`:  {Size: 1, Template: spawn.Config{Init: []string{"x"}}},
	} {
		if _, err := spawn.NewPool(c); err == nil || !strings.HasPrefix(err.Error(), "pool: "+want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	p := pool(t, config("ok", "true"), 1)
	cfg := config("ok", "true")
	cfg.Namespaces = []spawn.Namespace{{Kind: container.NSUTS}}
	var e *spawn.StartError
	if _, err := p.Start(t.Context(), cfg); !errors.As(err, &e) || e.Stage != "plan" ||
		!strings.Contains(err.Error(), "Config.Namespaces is not that of the pool's template") {
		t.Errorf("other namespaces: %v", err)
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := p.Start(t.Context(), config("ok", "true")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Start after Close: %v", err)
	}
	if err := p.Fill(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Fill after Close: %v", err)
	}
}

// A cancelled context ends a start and a wait, and the pool goes on.
func TestPoolIsCancelled(t *testing.T) {
	p := pool(t, config("ok", "true"), 1)
	fill(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Start(ctx, config("ok", "true")); !errors.Is(err, context.Canceled) {
		t.Errorf("Start: %v", err)
	}
	stopped := config("ok", "true")
	stopped.Init = []string{"/no/such/program"}
	if err := pool(t, stopped, 1).Fill(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, unix.ENOENT) {
		t.Errorf("Fill: %v", err)
	}
	fill(t, p)
}

// hopeless is a group that no child can be made in, and counts the attempts.
type hopeless struct{ attempts atomic.Int64 }

func (*hopeless) FD() int         { return -1 }
func (*hopeless) Inherited() bool { return true }
func (h *hopeless) Enter() error  { h.attempts.Add(1); return unix.EBUSY }

// A template that no child can be made of, or whose children end at once, is tried ever more seldom, and every start
// says what is wrong.
func TestPoolOfHopelessMembers(t *testing.T) {
	// Fewer than 16 attempts are possible within a minute, and thousands without the delays.
	const few = 16
	h := &hopeless{}
	template := config("ok", "true")
	template.Cgroup = h
	p := pool(t, template, 2)
	if err := p.Fill(t.Context()); !errors.Is(err, unix.EBUSY) {
		t.Errorf("Fill: %v", err)
	}
	const starts = 5
	for range starts {
		if _, err := p.Start(t.Context(), template); !errors.Is(err, unix.EBUSY) {
			t.Errorf("Start: %v", err)
		}
	}
	eventually(t, "a second attempt was made", func() bool { return h.attempts.Load() > starts+1 })
	if n := h.attempts.Load() - starts; n > few {
		t.Errorf("%d attempts", n)
	}
	if s := p.Stats(); s.Waiting != 0 || !errors.Is(s.Err, unix.EBUSY) {
		t.Errorf("%+v", s)
	}

	template = config("ok", "true")
	template.Init = []string{"/bin/false"}
	p = pool(t, template, 2)
	eventually(t, "two members were lost", func() bool { return p.Stats().Lost >= 2 })
	if _, err := p.Start(t.Context(), template); err == nil || !strings.Contains(err.Error(), "it exited with status 1") {
		t.Errorf("Start: %v", err)
	}
	if s := p.Stats(); s.Lost > few || s.Err != nil && !strings.Contains(s.Err.Error(), "status 1") {
		t.Errorf("%+v", s)
	}
}

// Many starts at once take members and new children as they come, while members are killed and the pool is refilled.
func TestPoolOfManyStarts(t *testing.T) {
	testenv.Root(t)
	template := function()
	template.Compile = nsinit.Compile
	p := pool(t, template, 3)
	first := fill(t, p)
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			for j := range 4 {
				r, w, err := os.Pipe()
				if err != nil {
					t.Error(err)
					return
				}
				cfg := template
				cfg.Files[1] = w
				cfg.Container.Process.Args = []string{"/bin/echo", strconv.Itoa(i), strconv.Itoa(j)}
				process, err := p.Start(t.Context(), cfg)
				_ = w.Close()
				if err != nil {
					t.Errorf("start %d of %d: %v", j, i, err)
					_ = r.Close()
					return
				}
				line, _ := bufio.NewReader(r).ReadString('\n')
				_ = r.Close()
				if want := fmt.Sprintf("%d %d\n", i, j); line != want {
					t.Errorf("%q, want %q", line, want)
				}
				over(t, process)
				_ = p.Stats()
			}
		})
	}
	_ = unix.Kill(first[2], unix.SIGKILL)
	all.Wait()
	if s := p.Stats(); s.Warm+s.Cold != 24 || s.Lost > 1 || s.Warm == 0 {
		t.Errorf("%+v", s)
	}
}

// Close in the middle of everything leaves nothing, which the check for leaks sees.
func TestPoolClosesAnytime(t *testing.T) {
	testenv.Root(t)
	for i := range 6 {
		template := function("/bin/true")
		p := pool(t, template, 2)
		time.Sleep(time.Duration(i) * time.Millisecond) // for another moment in its making
		done := make(chan struct{})
		go func() {
			defer close(done)
			process, err := p.Start(t.Context(), template)
			if err == nil {
				over(t, process)
			} else if !errors.Is(err, os.ErrClosed) {
				t.Errorf("Start beside Close: %v", err)
			}
		}()
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		<-done
		if left := children(t); len(left) > 0 {
			t.Errorf("children after Close: %v", left)
		}
	}
}

// poolVariable makes this binary a program with pools, for TestPoolEndsWithItsProcess.
const poolVariable = "POOL_PARENT"

// poolParent keeps pools until it is killed.
func poolParent() {
	small := function("/bin/true")
	small.Compile = nsinit.Compile
	dir, err := os.Open("/") // see waiting
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, template := range []spawn.Config{function("/bin/true"), small} {
		template.Files[0] = dir
		p, err := spawn.NewPool(spawn.PoolConfig{Template: template, Size: 2})
		if err == nil {
			err = p.Fill(context.Background())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Println("full")
	select {}
}

// When the process is killed that owns a pool, its members end.
func TestPoolEndsWithItsProcess(t *testing.T) {
	testenv.Root(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{poolVariable + "=1"}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	members := childrenOf(t, cmd.Process.Pid)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if line != "full\n" || len(members) != 4 {
		t.Fatalf("it said %q and had the children %v", line, members)
	}
	for _, pid := range members {
		eventually(t, fmt.Sprintf("member %d ended", pid), func() bool {
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			_, state, _ := strings.Cut(string(data), ") ")
			return err != nil || strings.HasPrefix(state, "Z")
		})
	}
}
