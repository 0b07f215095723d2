package spawn_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/nsinit"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{First: func() {
		child()
		if os.Geteuid() != 0 {
			// An example cannot skip itself. Of this package's, those that make a container need root.
			fmt.Fprintln(os.Stderr, "spawn: Example and ExamplePool are skipped, for they need root")
			_ = flag.Set("test.skip", "^Example(Pool)?$")
		}
	}})
}

// child is the other end of these tests: this test binary, executed anew by Start. What it does stands in the
// environment of its configuration, for that travels; what it must do before there is a configuration stands in the
// file that is its standard input.
func child() {
	if pid, told := os.LookupEnv("JOIN_PID"); told {
		asPlainUser(pid)
	}
	if os.Getenv(poolVariable) != "" {
		poolParent()
	}
	if early := os.Args[len(os.Args)-1]; early == "init" || early == "setns" {
		// There is no word to tell the child before CONFIG; what it is to do before is told by its standard input, if that is
		// a file or a directory. Anything else is the program's.
		switch st, err := os.Stdin.Stat(); {
		case err == nil && st.IsDir():
			nsinit.Main()
		case err == nil && st.Mode().IsRegular():
			var b [16]byte
			n, _ := os.Stdin.Read(b[:])
			before(string(b[:n]))
		}
	}
	if !acted() {
		nsinit.Main()
	}
	conn, ok, err := transport.Adopt(container.SocketVariable)
	if !ok {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	profile := container.InitProfile()
	if os.Args[len(os.Args)-1] == "setns" {
		profile = container.SetnsProfile()
	}
	p, err := transport.NewChild(conn, profile, transport.Options{})
	if err != nil {
		os.Exit(4)
	}
	if err := play(p, conn, profile); err != nil {
		_ = p.Fail(context.Background(), err)
		os.Exit(1)
	}
	os.Exit(0)
}

// waiting changes a template so that the members of its pool are real children and wait for HELLO as such. Otherwise
// they would wait for it as the child above, which looks at it first.
func waiting(tb testing.TB, template *spawn.Config) {
	tb.Helper()
	dir, err := os.Open("/")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = dir.Close() })
	template.Files[0] = dir
}

// playedID is the name of the containers whose child is the one above.
const playedID = "test"

// acted reports whether this process is to play the child of a test, as config has it, and is not a real one. The
// greeting tells, which waits in the socket: its session is the container's name.
func acted() bool {
	fd, err := strconv.Atoi(os.Getenv(container.SocketVariable))
	if err != nil {
		return true // no child at all
	}
	var hello [4096]byte
	n, _, err := unix.Recvfrom(fd, hello[:], unix.MSG_PEEK)
	return err != nil || strings.Contains(string(hello[:n]), `"session":"`+playedID+`"`)
}

func before(how string) {
	switch how {
	case "exit":
		os.Exit(7)
	case "kill":
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	case "stop":
		_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
	case "leak":
		leak()
		os.Exit(7)
	}
}

// leak leaves a process behind that holds a copy of the handshake socket: end of file never comes.
func leak() {
	fd := -1
	for i := 3; i < 32; i++ {
		if t, err := unix.GetsockoptInt(i, unix.SOL_SOCKET, unix.SO_TYPE); err == nil && t == unix.SOCK_SEQPACKET {
			fd = i
		}
	}
	cmd := exec.Command("/bin/sleep", leakSeconds)
	cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(fd), "leak")}
	if err := cmd.Start(); err != nil {
		os.Exit(9)
	}
}

const leakSeconds = "3"

func play(p *transport.Child, conn *transport.Conn, profile *syncproto.Profile) error {
	ctx := context.Background()
	v, fds, err := p.Accept(ctx)
	if err != nil {
		return err
	}
	var cfg container.Config
	if err := syncproto.FromValue(v, &cfg, true); err != nil {
		return err
	}
	if err := p.Narrow(cfg.Narrow(profile)); err != nil {
		return err
	}
	if how(&cfg) == "unconfirmed" {
		time.Sleep(time.Hour)
	}
	if err := p.Confirm(ctx); err != nil {
		return err
	}
	if err := act(ctx, p, &cfg); err != nil {
		return err
	}
	if _, _, err := transport.Call(ctx, p, container.ReadyRequest, struct{}{}); err != nil {
		return err
	}
	return finish(ctx, p, conn, &cfg, fds)
}

// howVariable is the variable that tells the child what it shall do.
const howVariable = "HOW="

func how(cfg *container.Config) string {
	for _, e := range cfg.Process.Env {
		if h, ok := strings.CutPrefix(e, howVariable); ok {
			return h
		}
	}
	return ""
}

// act is what happens between CONFIG_OK and "ready".
func act(ctx context.Context, p *transport.Child, cfg *container.Config) error {
	switch how(cfg) {
	case "fail":
		return fmt.Errorf("mount /proc: %w", &os.PathError{Op: "open", Path: "/no/such", Err: unix.ENOENT})
	case "exit-configured":
		os.Exit(7)
	case "hang":
		time.Sleep(time.Hour)
	case "dumpable":
		n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		if err != nil || n == 1 {
			return fmt.Errorf("dumpable: %d %v", n, err)
		}
	case "leak-configured":
		leak()
		os.Exit(7)
	case "reach":
		_, fds, err := transport.Call(ctx, p, container.MountRequest, container.MountArg{Source: cfg.Domainname})
		transport.CloseAll(fds)
		return err
	case "console":
		return console(ctx, p)
	}
	if cfg.Hooks.Runtime {
		_, _, err := transport.Call(ctx, p, container.HooksRequest, struct{}{})
		return err
	}
	return nil
}

func console(ctx context.Context, p *transport.Child) error {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, _, err = transport.Call(ctx, p, container.ConsoleRequest, container.ConsoleArg{Path: "/dev/pts/0"},
		int(master.Fd()))
	return err
}

func finish(ctx context.Context, p *transport.Child, conn *transport.Conn, cfg *container.Config, fds []int) error {
	switch how(cfg) {
	case "no-exec":
		os.Exit(7)
	case "leak-exec":
		leak()
	}
	if err := p.Exec(ctx); err != nil {
		return err
	}
	if cfg.GateFD > 0 {
		return gated(ctx, conn, cfg, fds[cfg.GateFD-1])
	}
	return unix.Exec(cfg.Process.Args[0], cfg.Process.Args, cfg.Process.Env)
}

func gated(ctx context.Context, conn *transport.Conn, cfg *container.Config, listener int) error {
	_ = conn.Close()
	fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err != nil {
		os.Exit(5)
	}
	c, err := transport.Take(fd)
	if err != nil {
		os.Exit(5)
	}
	p, err := transport.NewChild(c, container.StartProfile(), transport.Options{})
	if err != nil {
		os.Exit(5)
	}
	if _, _, err := p.Accept(ctx); err != nil {
		os.Exit(5)
	}
	_ = p.Confirm(ctx)
	_ = p.Exec(ctx)
	if err := unix.Exec(cfg.Process.Args[0], cfg.Process.Args, cfg.Process.Env); err != nil {
		_ = p.Fail(ctx, &os.PathError{Op: "execve", Path: cfg.Process.Args[0], Err: err})
	}
	os.Exit(1)
	return nil
}

// config is one for the child above: short deadlines, no namespaces, /bin/sh as the program.
func config(how string, script string) spawn.Config {
	cfg := spawn.Config{Deadlines: spawn.Deadlines{Hello: 2 * time.Second, Config: 2 * time.Second, Idle: 2 * time.Second,
		Exec: time.Second, Kill: 200 * time.Millisecond}}
	cfg.Container.ID = playedID
	cfg.Container.Process.Env = []string{howVariable + how}
	cfg.Container.Process.Args = []string{"/bin/sh", "-c", script}
	return cfg
}

// outputs collects what the program writes.
func output(t *testing.T, cfg *spawn.Config) func() string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Files[1] = w
	return func() string {
		_ = w.Close()
		defer r.Close()
		var b strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			b.Write(buf[:n])
			if err != nil {
				return b.String()
			}
		}
	}
}

// recorder is a Handler that notes its calls and fails where told.
type recorder struct {
	calls []string
	fail  string
}

var errHandler = errors.New("the handler says no")

func (r *recorder) call(name string) error {
	r.calls = append(r.calls, name)
	if name == r.fail {
		return errHandler
	}
	return nil
}

func (r *recorder) Started(_ context.Context, pid int) error {
	if err := unix.Kill(pid, 0); err != nil {
		return err
	}
	return r.call("started")
}
func (r *recorder) Hooks(context.Context, int) error { return r.call("hooks") }
func (r *recorder) Ready(context.Context, int) error { return r.call("ready") }
func (r *recorder) Console(_ context.Context, master *os.File, path string) error {
	defer master.Close()
	r.calls = append(r.calls, path+" "+strconv.FormatBool(master.Fd() > 2))
	return r.call("console")
}
