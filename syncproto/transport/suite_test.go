package transport_test

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/transport/transporttest"
)

// pairOf is a kernel pair whose second end is made by take.
func pairOf(typ transport.Type, take func(int) (*transport.Conn, error)) func(testing.TB) (a, b *transport.Conn) {
	return func(t testing.TB) (a, b *transport.Conn) {
		t.Helper()
		a, fd := half(t, typ)
		b, err := take(fd)
		if err != nil {
			t.Fatal(err)
		}
		return a, b
	}
}

func asTail(fd int) (*transport.Conn, error) {
	c, err := transport.Take(fd)
	if err != nil {
		return nil, err
	}
	return c, c.Tail()
}

func faulted(l func(testing.TB) (a, b *transport.Conn), f transporttest.Faults) func(testing.TB) (a,
	b *transport.Conn) {
	return func(t testing.TB) (*transport.Conn, *transport.Conn) {
		a, b := l(t)
		return transporttest.WithFaults(a, f), transporttest.WithFaults(b, f)
	}
}

// Every transport passes one suite; so does each on which only that goes wrong which the kernel may do to anybody.
func TestSuite(t *testing.T) {
	memory := func(typ transport.Type) func(testing.TB) (a, b *transport.Conn) {
		return func(testing.TB) (a, b *transport.Conn) { return transporttest.Memory(typ, 0) }
	}
	benign := transporttest.Faults{Short: 7000, Piece: 999, Interrupt: 3, ResetAfter: true}
	for name, typ := range map[string]transport.Type{"stream": transport.Stream, "seqpacket": transport.SeqPacket} {
		for suffix, l := range map[string]transporttest.Link{
			"":             {Make: pairOf(typ, transport.Take), Descriptors: true, Deadlines: true, Interrupts: true},
			" to blocking": {Make: pairOf(typ, transport.Take), Descriptors: true, Deadlines: true},
			" to tail":     {Make: pairOf(typ, asTail)},
			" in memory":   {Make: memory(typ), Descriptors: true, Deadlines: true, Interrupts: true},
			" with faults": {Make: faulted(pairOf(typ, transport.Take), benign), Descriptors: true, Deadlines: true,
				Interrupts: true},
			" in memory, faulty": {Make: faulted(memory(typ), benign), Descriptors: true, Deadlines: true, Interrupts: true},
		} {
			t.Run(name+suffix, func(t *testing.T) { transporttest.Run(t, l) })
		}
	}
}

func TestOnlyABlockingSocketBecomesATail(t *testing.T) {
	a, b := transporttest.Memory(transport.Stream, 0)
	defer func() { _, _ = a.Close(), b.Close() }()
	if err := a.Tail(); err == nil {
		t.Error("a memory pair became a tail")
	}
}

func init() { helpers["tail"] = tailChild }

// tailChild is a child that forbids itself all that a supervisor's filter might, and goes on.
func tailChild() {
	runtime.LockOSThread() // the filter is this thread's
	conn, _, err := transport.Adopt("HANDFAST_SOCKET")
	if err != nil {
		os.Exit(3)
	}
	p, err := transport.NewChild(conn, container.InitProfile(), transport.Options{})
	if err != nil {
		os.Exit(3)
	}
	if err := tailConverse(p); err != nil {
		_ = p.Fail(context.Background(), err)
		os.Exit(1)
	}
}

func tailConverse(p *transport.Child) error {
	ctx := context.Background()
	if _, _, err := p.Accept(ctx); err != nil {
		return err
	}
	if err := p.Confirm(ctx); err != nil {
		return err
	}
	if _, _, err := p.Call(ctx, "ready", syncproto.Value{}); err != nil {
		return err
	}
	if err := p.Tail(); err != nil {
		return err
	}
	calls := []uint32{
		unix.SYS_SENDMSG, unix.SYS_RECVMSG, unix.SYS_SENDTO, unix.SYS_RECVFROM, unix.SYS_PPOLL, unix.SYS_FCNTL,
	}
	if runtime.GOARCH == "386" {
		calls = append(calls, 221) // fcntl64, by which fcntl goes there
	}
	if err := forbid(calls...); err != nil {
		return err
	}
	if _, err := unix.FcntlInt(0, unix.F_GETFD, 0); err != unix.EACCES {
		return errors.New("the filter is not active")
	}
	if err := p.Note(ctx, "info", "the filter is active"); err != nil {
		return err
	}
	if _, _, err := p.Call(ctx, "seccomp", syncproto.IntValue(7)); err != nil {
		return err
	}
	return p.Exec(ctx)
}

// forbid makes system calls fail with EACCES on this thread, seccomp(2).
func forbid(calls ...uint32) error {
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}} // seccomp_data.nr
	for i, nr := range calls {
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(len(calls) - i),
			K: nr})
	}
	program = append(program,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES)})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&fprog)), 0, 0)
}

// The conversation ends well with read(2) and write(2) alone, while everything else is forbidden.
func TestATailUnderAFilter(t *testing.T) {
	for _, typ := range []transport.Type{transport.SeqPacket, transport.Stream} {
		c, fd := half(t, typ)
		end := os.NewFile(uintptr(fd), "child's end")
		var notes []syncproto.Note
		p, err := transport.NewParent(c, container.InitProfile(),
			transport.Options{Note: func(n syncproto.Note) { notes = append(notes, n) }})
		if err != nil {
			t.Fatal(err)
		}
		cmd := helper(t, "tail", end)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = end.Close()
		err = p.Open(t.Context(), syncproto.MapValue(), nil)
		names := ""
		for err == nil {
			var req *transport.Request
			if req, err = p.Next(t.Context()); err == nil {
				names += req.Name + " "
				err = p.Reply(t.Context(), syncproto.Value{})
			}
		}
		if err != io.EOF || names != "ready seccomp " || len(notes) != 1 {
			t.Errorf("%v after %q and %d notes", err, names, len(notes))
		}
		_, _ = p.Close(), cmd.Wait()
	}
}
