//go:build linux && (amd64 || arm64) && !race && !msan && !asan && !handfast_nofork

package smallchild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/remote"
	"github.com/handfast/handfast/syncproto/transport"
)

// run runs a small child with a program until the end of its conversation, and returns its output. The parent
// replies "run" to "ready", sends a file with the text "sent" for a mount, and takes only that file as a console.
func run(t *testing.T, program []byte) (out string, status syscall.WaitStatus, err error) {
	t.Helper()
	conn, theirs, err := transport.SocketPair(transport.SeqPacket)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.MemfdCreate("small", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	image := os.NewFile(uintptr(fd), "small")
	defer image.Close()
	if _, err := image.Write(Image(container.InitProfile())); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	pid, _, err := syscall.StartProcess(fmt.Sprintf("/proc/self/fd/%d", fd), []string{"small"}, &syscall.ProcAttr{
		Env: []string{"HANDFAST", "HANDFAST_SOCKET=3"}, Files: []uintptr{0, w.Fd(), w.Fd(), theirs.Fd()},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	theirs.Close()
	err = converse(conn, program)
	said, _ := io.ReadAll(r)
	if _, e := syscall.Wait4(pid, &status, 0, nil); e != nil {
		t.Fatal(e)
	}
	return string(said), status, err
}

func converse(conn *transport.Conn, program []byte) error {
	ctx := context.Background()
	p, err := transport.NewParent(conn, container.InitProfile(), transport.Options{Codecs: []codec.Codec{Codec()}})
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.Open(ctx, syncproto.BytesValue(program), nil); err != nil {
		return err
	}
	sent, err := unix.MemfdCreate("sent", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(sent)
	if _, err := unix.Write(sent, []byte("sent")); err != nil {
		return err
	}
	for {
		req, err := p.Next(ctx)
		if err != nil {
			return err
		}
		switch req.Name {
		case container.ReadyRequest.Request:
			err = transport.Reply(ctx, p, container.ReadyRequest, struct{}{})
		case container.MountRequest.Request:
			err = transport.Reply(ctx, p, container.MountRequest, struct{}{}, sent)
		case container.ConsoleRequest.Request:
			err = takeConsole(ctx, p, req, sent)
		default:
			err = errors.New("asked for " + req.Name)
		}
		if err != nil {
			return err
		}
	}
}

// takeConsole replies to the request for a console named /dev/pts/7 whose descriptor is that of the file sent.
func takeConsole(ctx context.Context, p *transport.Parent, req *transport.Request, sent int) error {
	defer transport.CloseAll(req.FDs)
	arg, err := transport.Arg(ctx, p, req, container.ConsoleRequest)
	if err != nil {
		return err
	}
	var got, want unix.Stat_t
	if err := errors.Join(unix.Fstat(req.FDs[0], &got), unix.Fstat(sent, &want)); err != nil {
		return err
	}
	if arg.Path != "/dev/pts/7" || got.Ino != want.Ino {
		return fmt.Errorf("console %q, inode %d, want /dev/pts/7 and %d", arg.Path, got.Ino, want.Ino)
	}
	return transport.Reply(ctx, p, container.ConsoleRequest, struct{}{})
}

// executes adds the end of every program: ready, EXEC, and a shell that runs the script.
func executes(p *Program, script string) {
	p.Request(call("ready", "\xc0"), call("run", "\xc0"))
	p.Word()
	argv := p.Table("argv", p.Str("sh"), p.Str("-c"), p.Str(script), Int(0))
	p.Call("execve", unix.SYS_EXECVE, p.Str("/bin/sh"), argv, p.Table("envp", p.Str("A=b"), Int(0)))
	p.GiveUp()
}

// call returns the payload of a request or a reply.
func call(name, arg string) string { return "\x82\xa4name" + text(name) + "\xa3arg" + arg }

// text returns a short text in MessagePack.
func text(s string) string { return string([]byte{0xa0 + byte(len(s))}) + s }

func encode(t *testing.T, p *Program) []byte {
	t.Helper()
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestExecutes(t *testing.T) {
	for _, size := range []int{0, 10, 40_000, 70_000, 250_000} { // one fragment, two, several
		p := New()
		p.Str(strings.Repeat("x", size))
		executes(p, `echo $A $HANDFAST_SOCKET; ls /proc/self/fd | wc -l`)
		out, status, err := run(t, encode(t, p))
		// The descriptors are 0 to 2 and one of ls itself.
		if err != io.EOF || status != 0 || out != "b\n4\n" {
			t.Errorf("%v, status %d: %q", err, status, out)
		}
	}
}

func TestComputes(t *testing.T) {
	p := New()
	write := func(a Arg, n int) { p.Call("write", unix.SYS_WRITE, Int(1), a, Int(n)) }
	for _, c := range []struct {
		mode int
		want string
	}{{0o1777, "1777"}, {0, "0"}, {0o7, "7"}, {0o40, "40"}, {0o100755, "755"}} {
		m := p.Scratch(8)
		p.Octal(m.At(0), p.Bytes(Words(uint64(c.mode)), "mode"))
		write(m.At(0), len(c.want))
		write(p.Str(" "), 1)
	}
	m, a, b := p.Scratch(8), p.Bytes(Words('c'), "number"), p.Bytes(Words('a'), "number")
	p.And(m.At(0), a, b)
	write(m.At(0), 1)
	p.Or(m.At(0), b, p.Bytes(Words('b'), "number"))
	write(m.At(0), 1)
	passwd := "root:x:0:0:root:/root:/bin/sh\nbroken\n1000:x:0:0::/wrong:\n" +
		"u:x:1000:1000::/home/u:/bin/sh\nrel:x:7:7::rel:/x\n" +
		"last:x:8:8::/last"
	for _, c := range []struct{ uid, want string }{{"0", "/root"}, {"1000", "/home/u"},
		{"7", "/"}, {"5", "/"}, {"8", "/last"}} {
		to, size := p.Scratch(longestHome+1), p.Reg()
		p.Set(size, Int(len(passwd)))
		p.Home(p.Str(passwd), size, c.uid, to.At(0))
		write(to.At(0), len(c.want))
		write(p.Str(" "), 1)
	}
	executes(p, "echo .")
	out, _, err := run(t, encode(t, p))
	const want = "1777 0 7 40 755 ac/root /home/u / / /last .\n"
	if err != io.EOF || out != want {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
}

func TestBranches(t *testing.T) {
	p := New()
	r, missing, end := p.Reg(), p.Label(), p.Label()
	p.Call("openat", unix.SYS_OPENAT, Int(unix.AT_FDCWD), p.Str("/no/such"), Int(0)).Into(r).
		On(missing, unix.EPERM, unix.ENOENT)
	p.GiveUp()
	p.Place(missing)
	p.Call("close", unix.SYS_CLOSE, Int(-1)).Ignore()
	p.Call("dup", unix.SYS_DUP, Int(1)).Into(r)
	p.IfReg(r, 0, end)
	p.Call("write", unix.SYS_WRITE, Val(r), p.Str("yes "), Int(4))
	p.Place(end)
	executes(p, "echo .")
	if out, _, err := run(t, encode(t, p)); err != io.EOF || out != "yes .\n" {
		t.Errorf("%v: %q", err, out)
	}
}

func TestDescriptors(t *testing.T) {
	p := New()
	r, content, missing := p.Reg(), p.Scratch(8), p.Label()
	for range 2 { // the second request finds nothing left of the first one
		p.Request(call("mount", "\x81\xa6source"+text("/a")), call("mounted", "\xc0"))
		p.Received(r)
		p.Call("pread64", unix.SYS_PREAD64, Val(r), content.At(0), Int(4), Int(0))
		p.Call("write", unix.SYS_WRITE, Int(1), content.At(0), Int(4))
	}
	console := call("console", "\x81\xa4path"+text("/dev/pts/0"))
	m := p.Message(console)
	p.Octal(m.At(len(console)-1), p.Bytes(Words(7), "number"))
	p.Send(m, Val(r), call("consoleTaken", "\xc0"))
	p.Call("close", unix.SYS_CLOSE, Val(r))
	p.Call("close", unix.SYS_CLOSE, Val(r)).On(missing, unix.EBADF)
	p.GiveUp()
	p.Place(missing)
	said := p.Label()
	p.IfReg(Errno, uint64(unix.EBADF), said)
	p.GiveUp()
	p.Place(said)
	executes(p, "echo .")
	if out, _, err := run(t, encode(t, p)); err != io.EOF || out != "sentsent.\n" {
		t.Errorf("%v: %q", err, out)
	}
}

func TestCannotGoOn(t *testing.T) {
	p := New()
	p.CheckParent()
	p.Call("chdir", unix.SYS_CHDIR, p.Str("/no/such"))
	executes(p, "")
	_, status, err := run(t, encode(t, p))
	var theirs *remote.Error
	if !errors.As(err, &theirs) || theirs.Report.Code != syncproto.CodeConfig || theirs.Error() != Failed+"1 2" {
		t.Errorf("%v", err)
	}
	if status.ExitStatus() != 1 {
		t.Errorf("status %#x", status)
	}
}

func TestReports(t *testing.T) {
	p := New()
	l := p.Label()
	p.Call("chdir", unix.SYS_CHDIR, p.Str("/no/such")).On(l)
	p.GiveUp()
	p.Place(l)
	table := p.ErrorTexts(func(e unix.Errno) string { return e.Error() }, []unix.Errno{unix.EPERM, unix.ENOENT}, "other")
	p.Report(`{"code":"exec","role":"child","nodes":[{"type":"text","text":"it: `, `"}]}`, table)
	_, _, err := run(t, encode(t, p))
	var theirs *remote.Error
	if !errors.As(err, &theirs) || theirs.Error() != "it: no such file or directory" {
		t.Errorf("%v", err)
	}
}

// TestNoProgram checks that the child refuses bytes that are not a program.
func TestNoProgram(t *testing.T) {
	for _, b := range [][]byte{make([]byte, 300), bytes.Repeat([]byte("PROGRAM0"), 40)} {
		_, _, err := run(t, b)
		var theirs *remote.Error
		if !errors.As(err, &theirs) || theirs.Report.Code != syncproto.CodeConfig {
			t.Errorf("%v", err)
		}
	}
}

func TestImageIsSmall(t *testing.T) {
	b := Image(container.InitProfile())
	if len(b) > 5<<10 || !bytes.Equal(b, Image(container.InitProfile())) {
		t.Errorf("%d bytes", len(b))
	}
}
