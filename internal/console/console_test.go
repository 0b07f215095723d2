package console

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

// openPTY makes a pseudo-terminal: its master and its other side.
func openPTY(t testing.TB) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	peer, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		t.Fatal(errno)
	}
	master, slave = os.NewFile(uintptr(fd), "master"), os.NewFile(peer, "slave")
	t.Cleanup(func() { master.Close(); slave.Close() })
	return master, slave
}

func termios(t testing.TB, f *os.File) unix.Termios {
	t.Helper()
	m, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *m
}

func TestProxyCopiesResizesAndGivesTheTerminalBack(t *testing.T) {
	user, host := openPTY(t)
	master, container := openPTY(t)
	size := &unix.Winsize{Row: 33, Col: 44}
	if err := unix.IoctlSetWinsize(int(user.Fd()), unix.TIOCSWINSZ, size); err != nil {
		t.Fatal(err)
	}
	in, typing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	before := termios(t, host)
	p, err := Start(&Host{tty: host}, master, in, host)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unix.IoctlGetWinsize(int(container.Fd()), unix.TIOCGWINSZ); err != nil || got.Row != 33 ||
		got.Col != 44 {
		t.Errorf("size %+v, %v", got, err)
	}
	if m := termios(t, host); m.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != 0 || m.Oflag&unix.OPOST == 0 {
		t.Errorf("not raw: %+v", m)
	}
	expect := func(f *os.File, want string) {
		t.Helper()
		buf := make([]byte, len(want))
		if _, err := io.ReadFull(f, buf); err != nil || string(buf) != want {
			t.Errorf("got %q, %v; want %q", buf, err, want)
		}
	}
	_, _ = typing.WriteString("typed\n")
	expect(container, "typed\n")
	expect(user, "typed\r\n") // the container's terminal echoes
	_, _ = container.WriteString("said\n")
	expect(user, "said\r\n")

	// The container's terminal adds no carriage return: where output goes to a pipe, none is in it.
	if m := termios(t, container); m.Oflag&unix.ONLCR != 0 {
		t.Error("ONLCR is set on the container's terminal")
	}
	typing.Close()
	container.Close()
	p.Stop(nil)
	p.Stop(nil)
	if after := termios(t, host); after != before {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
}

func TestSend(t *testing.T) {
	dir := filepath.Join(testenv.Dir(t), strings.Repeat("long", 30))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir) // only so can net listen under a name this long
	l, err := net.Listen("unix", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	name := strings.Repeat("name", 50) // neither the directory nor the name fits a socket address
	if err := os.Rename("s", name); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := Send(filepath.Join(dir, name), w, "/dev/pts/7"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	data, control := make([]byte, 100), make([]byte, 100)
	n, cn, _, _, err := c.(*net.UnixConn).ReadMsgUnix(data, control)
	if err != nil || string(data[:n]) != "/dev/pts/7" {
		t.Fatalf("%q, %v", data[:n], err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:cn])
	if err != nil || len(messages) != 1 {
		t.Fatal(messages, err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		t.Fatal(fds, err)
	}
	f := os.NewFile(uintptr(fds[0]), "received")
	_, _ = f.WriteString("through")
	f.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "through" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSendErrorsNameTheSocket(t *testing.T) {
	_, slave := openPTY(t)
	for _, path := range []string{"/nonexistent/socket", filepath.Join(testenv.Dir(t), "none")} {
		if err := Send(path, slave, "x"); err == nil || !strings.Contains(err.Error(), path) ||
			!strings.Contains(err.Error(), "no such file") {
			t.Errorf("%v", err)
		}
	}
}

// TestProxyEndsAtItsParts: whichever of the files goes away first, Stop returns, and the terminal's mode is as it was.
func TestProxyEndsAtItsParts(t *testing.T) {
	for name, act := range map[string]func(in, out, container *os.File){
		"nobody reads":     func(_, out, container *os.File) { out.Close(); _, _ = container.WriteString("lost\n") },
		"container closes": func(_, _, container *os.File) { container.Close() },
		"input ends":       func(in, _, _ *os.File) { in.Close() },
		"nothing":          func(_, _, _ *os.File) {},
	} {
		_, host := openPTY(t)
		master, container := openPTY(t)
		in, typing, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		seen, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		before := termios(t, host)
		p, err := Start(&Host{tty: host}, master, in, out)
		if err != nil {
			t.Fatal(err)
		}
		act(typing, seen, container)
		p.Suspend()
		if after := termios(t, host); after != before {
			t.Errorf("%s: while suspended %+v, before %+v", name, after, before)
		}
		if err := p.Resume(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p.Stop(nil)
		if after := termios(t, host); after != before {
			t.Errorf("%s: after %+v, before %+v", name, after, before)
		}
		for _, f := range []*os.File{in, typing, seen, out} {
			f.Close()
		}
	}
}

// TestStopIsAborted: a reader that takes nothing holds Stop up until a signal says that nobody wants to wait.
func TestStopIsAborted(t *testing.T) {
	_, host := openPTY(t)
	master, container := openPTY(t)
	in, typing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer typing.Close()
	seen, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(&Host{tty: host}, master, in, out)
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error)
	go func() {
		_, err := container.Write(make([]byte, 1<<20))
		written <- err
	}()
	abort := make(chan os.Signal, 2)
	abort <- unix.SIGCHLD // means nothing here
	abort <- unix.SIGTERM
	p.Stop(abort)
	seen.Close() // the copying has EPIPE
	<-p.output.done
	<-written
	out.Close()
}
