package spawn_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/remote"
	"github.com/handfast/handfast/syncproto/transport"
)

func start(t *testing.T, cfg spawn.Config) *spawn.Process {
	t.Helper()
	p, err := spawn.Start(context.Background(), cfg)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { _ = p.Release() })
	return p
}

func wait(t *testing.T, p *spawn.Process) syscall.WaitStatus {
	t.Helper()
	status, err := p.Wait(context.Background())
	if err != nil {
		t.Fatalf("Wait: %v", err)
	}
	return status
}

func TestStart(t *testing.T) {
	cfg := config("ok", "echo $$ $#; exit 42")
	h := &recorder{}
	cfg.Handler = h
	cfg.Container.Hooks.Runtime = true
	read := output(t, &cfg)
	p := start(t, cfg)
	if status := wait(t, p); status.ExitStatus() != 42 {
		t.Errorf("exit status %d, want 42", status.ExitStatus())
	}
	if got := read(); !strings.HasSuffix(got, " 0\n") {
		t.Errorf("the program wrote %q", got)
	}
	if diff := cmp.Diff([]string{"started", "hooks", "ready"}, h.calls); diff != "" {
		t.Error(diff)
	}
}

func TestNewNamespaces(t *testing.T) {
	testenv.Root(t)
	cfg := config("ok", "echo $$; readlink /proc/self/ns/uts")
	for _, k := range []string{container.NSPid, container.NSUTS, container.NSIPC, container.NSMount, container.NSNetwork} {
		cfg.Namespaces = append(cfg.Namespaces, spawn.Namespace{Kind: k})
	}
	read := output(t, &cfg)
	wait(t, start(t, cfg))
	mine, err := os.Readlink("/proc/self/ns/uts")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(read()); len(got) != 2 || got[0] != "1" || got[1] == mine {
		t.Errorf("pid and uts namespace of the child: %q; the parent's is %s", got, mine)
	}
}

func TestJoinedNamespace(t *testing.T) {
	testenv.Root(t)
	holder := start(t, func() spawn.Config {
		c := config("ok", "exec sleep 30")
		c.Namespaces = []spawn.Namespace{{Kind: container.NSUTS}, {Kind: container.NSPid}}
		return c
	}())
	defer func() {
		_ = holder.Signal(unix.SIGKILL)
		wait(t, holder)
	}()
	ns := filepath.Join("/proc", itoa(holder.PID()), "ns")
	cfg := config("ok", "readlink /proc/$$/ns/uts; cat /proc/sys/kernel/random/boot_id >/dev/null; echo $$")
	cfg.Namespaces = []spawn.Namespace{{Kind: container.NSUTS, Path: ns + "/uts"},
		{Kind: container.NSPid, Path: ns + "/pid"}}
	read := output(t, &cfg)
	wait(t, start(t, cfg))
	fields := strings.Fields(read())
	if len(fields) == 0 || fields[len(fields)-1] == "1" || len(fields[len(fields)-1]) > 3 {
		t.Errorf("the joined child's own pid in the holder's namespace: %q", fields)
	}
	for _, bad := range []struct {
		path string
		want error
	}{{ns + "/ipc", unix.EINVAL}, {"/dev/null", unix.EINVAL}, {ns + "/nothing", unix.ENOENT}, {t.TempDir(), unix.EINVAL}} {
		cfg := config("ok", "true")
		cfg.Namespaces = []spawn.Namespace{{Kind: container.NSUTS, Path: bad.path}}
		_, err := spawn.Start(context.Background(), cfg)
		if !errors.Is(err, bad.want) || !strings.Contains(err.Error(), bad.path) {
			t.Errorf("join %s: %v, want %v and the path", bad.path, err, bad.want)
		}
	}
}

func TestUserNamespace(t *testing.T) {
	testenv.Root(t)
	cfg := config("ok", "id -u; cat /proc/self/uid_map")
	cfg.Namespaces = []spawn.Namespace{{Kind: container.NSUser}, {Kind: container.NSMount}}
	cfg.UIDMappings = []spawn.IDMap{{HostID: 100000, Size: 65536}}
	cfg.GIDMappings = cfg.UIDMappings
	read := output(t, &cfg)
	wait(t, start(t, cfg))
	if got := strings.Fields(read()); !cmp.Equal(got, []string{"0", "0", "100000", "65536"}) {
		t.Errorf("uid and uid_map: %q", got)
	}
}

// ended checks how a start ended that could not succeed: by one line with the verdict and what is known of the child,
// which is reaped.
func ended(t *testing.T, what string, err error, outcome syncproto.Outcome, state syncproto.State, text string) {
	t.Helper()
	var f *transport.Failure
	early := outcome == syncproto.Died && state == syncproto.Greeted // it may be gone before the greeting is sent
	if !errors.As(err, &f) || f.Outcome != outcome && !(early && f.Outcome == syncproto.Broken) ||
		f.State != state && !(early && f.State == syncproto.Opened) {
		t.Errorf("%s: %v: want outcome %v in state %v, got %+v", what, err, outcome, state, f)
		return
	}
	var s *spawn.StartError
	if !errors.As(err, &s) || !s.Reaped {
		t.Fatalf("%s: the child was not reaped: %v", what, err)
	}
	// Where the conversation was is in the detail, and the error itself has no word of the protocol.
	if all := err.Error() + s.Detail(); !strings.Contains(all, text) || strings.Contains(all, "\n") {
		t.Errorf("%s: %q and %q are not one line each with %q", what, err, s.Detail(), text)
	}
	if outcome != syncproto.PeerError && strings.Contains(err.Error(), "phase") {
		t.Errorf("%s: %q needs knowledge of the protocol", what, err)
	}
}

// unreliable are children that cannot be relied on, and how a start with each ends.
var unreliable = []struct {
	how     string // told on standard input, before the greeting
	act     string // told by the configuration
	outcome syncproto.Outcome
	state   syncproto.State
	text    string
}{
	{how: "exit", outcome: syncproto.Died, state: syncproto.Greeted, text: "it exited with status 7"},
	{how: "kill", outcome: syncproto.Died, state: syncproto.Greeted, text: "signal 9"},
	{how: "stop", outcome: syncproto.TimedOut, state: syncproto.Greeted, text: "waited for the greeting"},
	{how: "leak", outcome: syncproto.Died, state: syncproto.Greeted, text: "it exited with status 7"},
	{act: "unconfirmed", outcome: syncproto.TimedOut, state: syncproto.Agreed, text: "waited for the configuration"},
	{act: "exit-configured", outcome: syncproto.Died, state: syncproto.Configured, text: "it exited with status 7"},
	{act: "leak-configured", outcome: syncproto.Died, state: syncproto.Configured, text: `phase "setup"`},
	{act: "hang", outcome: syncproto.TimedOut, state: syncproto.Configured, text: `phase "setup"`},
	{act: "no-exec", outcome: syncproto.Died, state: syncproto.Configured, text: `phase "released"`},
	{act: "leak-exec", outcome: syncproto.TimedOut, state: syncproto.Committed, text: "waited for the execution"},
	{act: "fail", outcome: syncproto.PeerError, state: syncproto.Configured,
		text: "mount /proc: open /no/such: no such file or directory"},
}

// trouble is a configuration whose child will do what how says before the greeting, and act after it. The file is the
// caller's to close.
func trouble(t *testing.T, how, act string) (spawn.Config, *os.File) {
	t.Helper()
	cfg := config(act, "exec sleep 30")
	told, err := os.CreateTemp(t.TempDir(), "")
	if err == nil {
		_, err = told.WriteString(how)
	}
	if err == nil {
		_, err = told.Seek(0, io.SeekStart)
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg.Files[0] = told
	return cfg, told
}

// The child that cannot be relied on: whatever it does, Start returns, says what happened, and leaves nothing.
func TestUnreliableChild(t *testing.T) {
	for _, c := range unreliable {
		t.Run(c.how+c.act, func(t *testing.T) {
			t.Parallel()
			cfg, told := trouble(t, c.how, c.act)
			defer told.Close()
			_, err := spawn.Start(context.Background(), cfg)
			ended(t, c.how+c.act, err, c.outcome, c.state, c.text)
			if c.outcome == syncproto.TimedOut != errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v: is DeadlineExceeded: %t", err, errors.Is(err, context.DeadlineExceeded))
			}
			if c.act == "fail" && !errors.Is(err, unix.ENOENT) {
				t.Errorf("%v is not ENOENT", err)
			}
		})
	}
	// The leaked copies belong to sleepers that end by themselves; the leak check of the package waits for them.
}

func TestHandlerFails(t *testing.T) {
	for _, at := range []string{"started", "hooks", "ready"} {
		cfg := config("ok", "true")
		cfg.Container.Hooks.Runtime = true
		cfg.Handler = &recorder{fail: at}
		_, err := spawn.Start(context.Background(), cfg)
		if !errors.Is(err, errHandler) {
			t.Errorf("%s: %v, want the handler's error", at, err)
		}
		if err.Error() != errHandler.Error() {
			t.Errorf("%s: %q says more than the handler did", at, err)
		}
	}
}

func TestConsole(t *testing.T) {
	cfg := config("console", "true")
	cfg.Container.Process.Terminal = true
	h := &recorder{}
	cfg.Handler = h
	wait(t, start(t, cfg))
	if diff := cmp.Diff([]string{"started", "/dev/pts/0 true", "console", "ready"}, h.calls); diff != "" {
		t.Error(diff)
	}
	// A console that the configuration does not ask for breaks the profile.
	cfg.Container.Process.Terminal = false
	_, err := spawn.Start(context.Background(), cfg)
	var r *remote.Error
	if !errors.As(err, &r) || r.Report.Code != syncproto.CodeDescriptors {
		t.Errorf("an unwanted console: %v", err)
	}
}

func TestMountSourceMustBeConfigured(t *testing.T) {
	testenv.Root(t)
	cfg := config("reach", "true")
	cfg.Container.Domainname = "/etc"
	_, err := spawn.Start(context.Background(), cfg)
	if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "/etc") {
		t.Errorf("a source out of nowhere: %v", err)
	}
	cfg.Container.Mounts = []container.Mount{{Destination: "/x", Source: "/etc", Bind: true}}
	cfg.Namespaces = []spawn.Namespace{{Kind: container.NSMount}}
	wait(t, start(t, cfg))
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cfg := config("hang", "true")
	cfg.Deadlines = spawn.Deadlines{Kill: 50 * time.Millisecond}
	cfg.Trace = func(e transport.Event) {
		if e.Header.Kind == syncproto.KindConfigOK {
			cancel()
		}
	}
	_, err := spawn.Start(ctx, cfg)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in the middle: %v", err)
	}
}

func TestPreserveFDs(t *testing.T) {
	cfg := config("ok", "true")
	cfg.PreserveFDs = 200
	_, err := spawn.Start(context.Background(), cfg)
	if !errors.Is(err, unix.EBADF) || !strings.Contains(err.Error(), "preserve descriptor ") {
		t.Errorf("a descriptor that may not be preserved: %v", err)
	}
}

func TestGate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	gate := filepath.Join(dir, "gate")
	cfg := config("ok", "exit 5")
	cfg.Gate = gate
	p := start(t, cfg)
	if st, err := os.Stat(gate); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("the gate: %v %v", st, err)
	}
	if err := spawn.OpenGate(context.Background(), spawn.Gate{Path: gate}); err != nil {
		t.Fatal(err)
	}
	if status := wait(t, p); status.ExitStatus() != 5 {
		t.Errorf("exit status %d, want 5", status.ExitStatus())
	}
	if _, err := os.Lstat(gate); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the gate is still there: %v", err)
	}
	err := spawn.OpenGate(context.Background(), spawn.Gate{Path: gate})
	if !errors.Is(err, unix.ENOENT) {
		t.Errorf("a gate that is gone: %v", err)
	}
}

func TestGateReportsTheExecution(t *testing.T) {
	cfg := config("ok", "")
	cfg.Container.Process.Args = []string{"/no/such/program"}
	cfg.Gate = filepath.Join(t.TempDir(), "gate")
	p := start(t, cfg)
	err := spawn.OpenGate(context.Background(), spawn.Gate{Path: cfg.Gate})
	var path *os.PathError
	if !errors.Is(err, unix.ENOENT) || !errors.As(err, &path) || path.Path != "/no/such/program" {
		t.Errorf("OpenGate: %v, want ENOENT and the program's path", err)
	}
	wait(t, p)
}

func TestGateOfADeadProcess(t *testing.T) {
	cfg := config("ok", "true")
	cfg.Gate = filepath.Join(t.TempDir(), "gate")
	p := start(t, cfg)
	_ = p.Signal(unix.SIGKILL)
	wait(t, p)
	if err := spawn.OpenGate(context.Background(), spawn.Gate{Path: cfg.Gate}); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("nobody behind the gate: %v", err)
	}
}

func TestProgramCannotBeWritten(t *testing.T) {
	testenv.Root(t)
	cfg := config("ok", "true")
	cfg.Gate = filepath.Join(t.TempDir(), "gate")
	p := start(t, cfg)
	exe := "/proc/" + itoa(p.PID()) + "/exe"
	fd, err := unix.Open(exe, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	_ = p.Signal(unix.SIGKILL)
	wait(t, p)
	// access(2) and not open(2): this test runs the same file, so an open for writing would be ETXTBSY whatever the mount
	// says.
	if err := unix.Faccessat(unix.AT_FDCWD, "/proc/self/fd/"+itoa(fd), unix.W_OK, 0); err != unix.EROFS {
		t.Errorf("write access to the program that the child ran: %v, want EROFS", err)
	}
	attr := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err == nil {
		t.Error("the private clone can be made writable again")
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
