package transport_test

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/transport/transporttest"
)

// helpers are what a re-executed test binary turns into, by the value of its variable.
var helpers = map[string]func(){}

const helperVariable = "HANDFAST_TRANSPORT_HELPER"

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{First: func() {
		if f := helpers[os.Getenv(helperVariable)]; f != nil {
			f()
			os.Exit(0)
		}
	}})
}

// helper is this test binary as another program, with files as its descriptors from 3 on.
func helper(t *testing.T, name string, files ...*os.File) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperVariable+"="+name, "HANDFAST_SOCKET=3")
	cmd.ExtraFiles = files
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd
}

// link is one way to join two ends.
type link struct {
	name   string
	packet bool
	kernel bool
	make   func(t testing.TB) (a, b *transport.Conn)
}

func kernelLink(name string, typ transport.Type, take func(int) (*transport.Conn, error)) link {
	return link{name, typ == transport.SeqPacket, true, func(t testing.TB) (a, b *transport.Conn) {
		t.Helper()
		a, fd := half(t, typ)
		b, err := take(fd)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return a, b
	}}
}

func memoryLink(name string, typ transport.Type) link {
	return link{name, typ == transport.SeqPacket, false, func(t testing.TB) (a, b *transport.Conn) {
		a, b = transporttest.Memory(typ, 0)
		t.Cleanup(func() { _, _ = a.Close(), b.Close() })
		return a, b
	}}
}

var links = []link{
	kernelLink("stream", transport.Stream, transport.Take),
	kernelLink("seqpacket", transport.SeqPacket, transport.Take),
	kernelLink("stream to blocking", transport.Stream, transport.Take),
	kernelLink("seqpacket to blocking", transport.SeqPacket, transport.Take),
	memoryLink("memory stream", transport.Stream),
	memoryLink("memory packets", transport.SeqPacket),
}

// eachLink is one of each kind.
var eachLink = []link{links[0], links[1], links[4], links[5]}

// half is a socket pair: one end as a Conn, the other as the descriptor that a test writes to as it likes. The
// descriptor is the test's.
func half(t testing.TB, typ transport.Type) (*transport.Conn, int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, int(typ)|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := transport.Take(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, fds[1]
}

func all(syncproto.Header) error { return nil }

func isCode(code syncproto.Code) error { return &syncproto.ProtocolError{Code: code} }

// null is a descriptor of /dev/null.
func null(t testing.TB) int {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return int(f.Fd())
}

func nulls(t testing.TB, n int) []int {
	fds := make([]int, n)
	for i := range fds {
		fds[i] = null(t)
	}
	return fds
}
