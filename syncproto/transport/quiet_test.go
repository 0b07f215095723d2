package transport_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

func init() {
	helpers["quiet parent"] = func() { exitWith(quietParent()) }
	helpers["quiet child"] = func() { exitWith(quietChild()) }
}

func exitWith(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Markers around a conversation in a trace of the system calls: prctl(2) of a number that no operation has.
const (
	markBegin = 0x48461
	markEnd   = 0x48462
)

// quietType is the variable that says which type of socket quietParent makes.
const quietType = "HANDFAST_QUIET_TYPE"

func mark(n uintptr) { _, _, _ = unix.RawSyscall(unix.SYS_PRCTL, n, 0, 0) }

// quietParent is a whole program that starts a child and leads the conversation with it. The child is watched by its
// pidfd, and every deadline runs.
func quietParent() error {
	typ := transport.SeqPacket
	if os.Getenv(quietType) == "stream" {
		typ = transport.Stream
	}
	conn, end, err := transport.SocketPair(typ)
	if err != nil {
		return err
	}
	child, err := os.StartProcess("/proc/self/exe", []string{"child"}, &os.ProcAttr{
		Env:   []string{helperVariable + "=quiet child", "HANDFAST_SOCKET=3", "GOMAXPROCS=" + os.Getenv("GOMAXPROCS")},
		Files: []*os.File{nil, nil, os.Stderr, end},
	})
	_ = end.Close()
	if err != nil {
		return err
	}
	pidfd, err := unix.PidfdOpen(child.Pid, 0)
	if err != nil {
		return err
	}
	watched := os.NewFile(uintptr(pidfd), "the child")
	p, err := transport.NewParent(conn, container.InitProfile(), transport.Options{Process: watched})
	if err != nil {
		return err
	}
	ctx := context.Background()
	mark(markBegin)
	if err = p.Open(ctx, text(10000), []int{0}); err == nil {
		err = quietServe(ctx, p)
	}
	mark(markEnd)
	_, _ = p.Close(), watched.Close()
	_, _ = child.Wait()
	return err
}

func quietServe(ctx context.Context, p *transport.Parent) error {
	for {
		if _, err := p.Next(ctx); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := p.Reply(ctx, syncproto.Value{}); err != nil {
			return err
		}
	}
}

func quietChild() error {
	conn, _, err := transport.Adopt("HANDFAST_SOCKET")
	if err != nil {
		return err
	}
	c, err := transport.NewChild(conn, container.InitProfile(), transport.Options{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	mark(markBegin)
	_, fds, err := c.Accept(ctx)
	if err == nil {
		err = c.Confirm(ctx)
	}
	for _, name := range []string{"hooks", "ready"} {
		if err == nil {
			_, _, err = c.Call(ctx, name, syncproto.Value{})
		}
	}
	if err == nil {
		err = c.Exec(ctx)
	}
	mark(markEnd)
	transport.CloseAll(fds)
	return err
}

// traced runs the two programs and returns, for each process, its system calls between the markers, those of all its
// threads, and what the whole trace was.
func traced(t *testing.T, environment ...string) (between map[string][]string, whole string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command("strace", "-f", "-qq", "-o", out, self)
	cmd.Env = append(append(os.Environ(), helperVariable+"=quiet parent"), environment...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return betweenMarks(t, string(b)), string(b)
}

var traceLine = regexp.MustCompile(`^(\d+) +(<\.\.\. )?([a-z_0-9]+)(.*)`)

// betweenMarks takes a trace apart, by process.
func betweenMarks(t *testing.T, trace string) map[string][]string {
	t.Helper()
	calls, open, ended := map[string][]string{}, map[string]bool{}, 0
	process, thread := map[string]string{}, map[string]bool{} // of a thread; whether its clone makes one
	again := map[string]bool{}                                // a signal ended its futex wait, which it goes on with
	for line := range strings.Lines(trace) {
		m := traceLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			continue // a signal
		}
		who, call, rest := m[1], m[3], m[4]
		if process[who] == "" {
			process[who] = who
		}
		if strings.HasPrefix(call, "clone") {
			if m[2] == "" {
				thread[who] = strings.Contains(rest, "CLONE_THREAD")
			}
			if at := strings.LastIndex(rest, ") = "); at >= 0 && thread[who] {
				process[rest[at+4:]] = process[who]
			}
		}
		if strings.Contains(rest, "ERESTART") {
			again[who] = strings.HasPrefix(call, "futex")
			continue
		}
		if strings.HasPrefix(call, "futex") && again[who] { // SIGCHLD may meet any thread, an idle one too
			again[who] = m[2] == ""
			continue
		}
		switch {
		case call == "prctl" && strings.Contains(rest, fmt.Sprintf("(%#x", markBegin)):
			open[process[who]], calls[process[who]] = true, []string{}
		case call == "prctl" && strings.Contains(rest, fmt.Sprintf("(%#x", markEnd)):
			open[process[who]] = false
			ended++
		case open[process[who]] && m[2] == "":
			calls[process[who]] = append(calls[process[who]], call)
		}
	}
	if ended != 2 || len(calls) != 2 {
		t.Fatalf("%d conversations of %d processes in the trace, want one of two:\n%s", ended, len(calls), trace)
	}
	return calls
}

// A whole conversation wakes no thread, waits for none and starts none, on either side, because no other goroutine
// exists. The test uses one processor for Go's scheduler: with more, the scheduler itself wakes an idle thread whenever
// it preempts the only goroutine there is, after 10 ms, whatever that does.
//
// A thread of the runtime's own may be about to go to sleep when the conversation begins, and then its futex call falls
// into one run. What the conversation does itself is in every run.
func TestAConversationWakesNoThread(t *testing.T) {
	for _, typ := range []string{"seqpacket", "stream"} {
		t.Run(typ, func(t *testing.T) {
			var found []string
			for range 5 {
				calls, whole := traced(t, "GOMAXPROCS=1", quietType+"="+typ)
				if found = loud(calls); found == nil {
					return
				}
				found = append(found, whole)
			}
			t.Errorf("in each of five runs; the last: %s", strings.Join(found, "\n"))
		})
	}
}

// loud reports system calls between the markers that a conversation must not make, or that are missing.
func loud(calls map[string][]string) (found []string) {
	for process, of := range calls {
		moved := 0
		for _, call := range of {
			switch call {
			case "futex", "futex_time64", "clone", "clone3", "epoll_wait", "epoll_pwait", "timerfd_create", "timer_create":
				found = append(found, call+" by process "+process+" in a conversation")
			case "sendmsg", "recvmsg":
				moved++
			}
		}
		if moved < 8 {
			found = append(found, fmt.Sprintf("%d messages in a conversation of eight", moved))
		}
	}
	return found
}
