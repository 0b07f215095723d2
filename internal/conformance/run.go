package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/remote"
	"github.com/handfast/handfast/syncproto/vectors"
)

// Options select the vectors for a child and the form of the results.
type Options struct {
	Command []string      // the child's program and arguments
	Match   string        // only vectors whose name contains this
	Socket  string        // "stream", "seqpacket", or "both" and empty for both
	Timeout time.Duration // of each wait; zero is five seconds
	TAP     bool          // Test Anything Protocol, version 13
	Out     io.Writer
}

// Result counts the cases.
type Result struct{ OK, Failed, Skipped int }

// oneCase is one vector for a child, over one type of socket.
type oneCase struct {
	v      vectors.Vector
	socket string
}

// Run runs the child against its vectors, prints a line for each, and returns how many passed. An error is not the
// child's failure: for example, the child could not be started.
func Run(ctx context.Context, o Options) (Result, error) {
	var r Result
	list, err := cases(o)
	if err != nil {
		return r, err
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.TAP {
		fmt.Fprintf(o.Out, "TAP version 13\n1..%d\n", len(list))
	}
	for i, c := range list {
		if err := ctx.Err(); err != nil {
			return r, context.Cause(ctx)
		}
		verdict, err := c.run(ctx, o)
		if err != nil {
			return r, err
		}
		r.count(verdict)
		if _, err := io.WriteString(o.Out, c.line(i+1, verdict, o.TAP)); err != nil {
			return r, err
		}
	}
	if !o.TAP {
		fmt.Fprintf(o.Out, "%d passed, %d failed, %d skipped\n", r.OK, r.Failed, r.Skipped)
	}
	return r, nil
}

func (r *Result) count(verdict error) {
	switch {
	case verdict == nil:
		r.OK++
	case errors.Is(verdict, ErrSkip):
		r.Skipped++
	default:
		r.Failed++
	}
}

func cases(o Options) ([]oneCase, error) {
	all, err := vectors.Of(vectors.KindChild)
	if err != nil {
		return nil, err
	}
	switch o.Socket {
	case "", "both", "stream", "seqpacket":
	default:
		return nil, fmt.Errorf("socket %q: want stream, seqpacket or both", o.Socket)
	}
	var list []oneCase
	for _, v := range all {
		for _, socket := range []string{"seqpacket", "stream"} {
			wanted := o.Socket == "" || o.Socket == "both" || o.Socket == socket
			if wanted && (v.Socket == "both" || v.Socket == socket) && strings.Contains(v.Name, o.Match) {
				list = append(list, oneCase{v, socket})
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no vector's name holds %q", o.Match)
	}
	return list, nil
}

// line returns the line printed for a case.
func (c oneCase) line(n int, verdict error, tap bool) string {
	name := strings.TrimPrefix(c.v.Name, "child/") + " (" + c.socket + ")"
	switch {
	case verdict == nil && tap:
		return fmt.Sprintf("ok %d - %s\n", n, name)
	case verdict == nil:
		return "ok    " + name + "\n"
	case errors.Is(verdict, ErrSkip) && tap:
		return fmt.Sprintf("ok %d - %s # SKIP %v\n", n, name, verdict)
	case errors.Is(verdict, ErrSkip):
		return "skip  " + name + ": " + verdict.Error() + "\n"
	}
	why := remote.OneLine(verdict.Error())
	if tap {
		return fmt.Sprintf("not ok %d - %s\n  ---\n  message: %q\n  about: %q\n  section: %q\n  ...\n", n, name, why,
			c.v.About, c.v.Section)
	}
	return "FAIL  " + name + ": " + why + " [" + c.v.About + " Section " + c.v.Section + "]\n"
}

// run starts the child, plays the vector and ends the child. verdict is the child's failure, err any other error.
func (c oneCase) run(ctx context.Context, o Options) (verdict, err error) {
	typ := unix.SOCK_SEQPACKET
	if c.socket == "stream" {
		typ = unix.SOCK_STREAM
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(fds[0])
	theirs := os.NewFile(uintptr(fds[1]), "child's socket")
	cmd := exec.CommandContext(ctx, o.Command[0], o.Command[1:]...)
	cmd.Env = append(os.Environ(), container.SocketVariable+"=3")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	err = cmd.Start()
	_ = theirs.Close() // while a copy is open, end of file cannot arrive
	if err != nil {
		return nil, err
	}
	if n := uint64(c.v.NoFile); n > 0 {
		// The child waits for HELLO. The hard limit, too, for a Go program raises the soft one.
		err = unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: n}, nil)
	}
	if err == nil {
		verdict = Play(&c.v, fds[0], o.Timeout)
	} else {
		err = os.NewSyscallError("prlimit", err)
	}
	// End the child, whether it still waits or has executed its program.
	_ = unix.Shutdown(fds[0], unix.SHUT_RDWR)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return verdict, err
}
