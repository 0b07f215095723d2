package docs

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// transcript is a real conversation over real packets, recorded by a relay between the two sides. Two codecs are
// offered, so that the parent waits for HELLO_ACK and the order is always the same.
func transcript(t *testing.T) string {
	parentConn, left := pair(t)
	childConn, right := pair(t)
	o := transport.Options{Codecs: []codec.Codec{codec.JSON(), codec.MessagePack()}, Session: "c1"}
	var wg sync.WaitGroup
	wg.Go(func() { playParent(t, parentConn, o) })
	wg.Go(func() { playChild(t, childConn, o) })
	lines := relay(t, left, right)
	wg.Wait()
	transport.CloseAll([]int{left, right})
	return "```\n" + strings.Join(lines, "\n") + "\n```\n"
}

func pair(t *testing.T) (*transport.Conn, int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := transport.Take(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	return c, fds[1]
}

func playParent(t *testing.T, c *transport.Conn, o transport.Options) {
	p, err := transport.NewParent(c, container.InitProfile(), o)
	if err != nil {
		t.Error(err)
		return
	}
	defer p.Close()
	config, err := syncproto.ToValue(container.Config{ID: "c1", Hostname: "box", Root: container.Root{Path: "/srv/root"},
		Process: container.Process{Args: []string{"/bin/true"}, Cwd: "/", Terminal: true}})
	if err == nil {
		err = p.Open(t.Context(), config, nil)
	}
	for err == nil {
		var req *transport.Request
		if req, err = p.Next(t.Context()); err == nil {
			transport.CloseAll(req.FDs)
			err = p.Reply(t.Context(), syncproto.Value{})
		}
	}
	if p.Verdict().Outcome != syncproto.Success {
		t.Error(err)
	}
}

func playChild(t *testing.T, c *transport.Conn, o transport.Options) {
	p, err := transport.NewChild(c, container.InitProfile(), o)
	if err != nil {
		t.Error(err)
		return
	}
	defer p.Close()
	tty, err := os.Open(os.DevNull)
	if err != nil {
		t.Error(err)
		return
	}
	defer tty.Close()
	arg := container.ConsoleArg{Path: "/dev/pts/0"}
	steps := []func() error{
		func() error { _, _, err := p.Accept(t.Context()); return err },
		func() error { return p.Confirm(t.Context()) },
		func() error { return p.Note(t.Context(), "debug", "root is set up") },
		func() error {
			_, _, err := transport.Call(t.Context(), p, container.ConsoleRequest, arg, int(tty.Fd()))
			return err
		},
		func() error {
			_, _, err := transport.Call(t.Context(), p, container.ReadyRequest, struct{}{})
			return err
		},
		func() error { return p.Exec(t.Context()) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			t.Error(err)
			return
		}
	}
}

// relay forwards packets and descriptors until the child's end of file, and describes each.
func relay(t *testing.T, left, right int) (lines []string) {
	buf, oob := make([]byte, 1<<17), make([]byte, 4096)
	for {
		polls := []unix.PollFd{{Fd: int32(left), Events: unix.POLLIN}, {Fd: int32(right), Events: unix.POLLIN}}
		if _, err := unix.Poll(polls, 10000); err != nil && err != unix.EINTR {
			t.Error(err)
			return lines
		}
		for i, p := range polls {
			if p.Revents == 0 {
				continue
			}
			n, oobn, _, _, err := unix.Recvmsg(int(p.Fd), buf, oob, unix.MSG_CMSG_CLOEXEC)
			if err != nil || n == 0 {
				_ = unix.Shutdown(left, unix.SHUT_WR)
				return append(lines, "C  end of file", "   # the execution closed the socket: success")
			}
			if err := unix.Sendmsg(int(polls[1-i].Fd), buf[:n], oob[:oobn], nil, unix.MSG_NOSIGNAL); err != nil {
				t.Error(err)
			}
			closeRights(oob[:oobn])
			lines = append(lines, describe("PC"[i:i+1], buf[:n])...)
		}
	}
}

func closeRights(oob []byte) {
	msgs, _ := unix.ParseSocketControlMessage(oob)
	for i := range msgs {
		fds, _ := unix.ParseUnixRights(&msgs[i])
		transport.CloseAll(fds)
	}
}

var remarks = map[string]string{
	"HELLO":                "two codecs are offered, so CONFIG waits for the reply",
	"HELLO_ACK":            "re 1: it replies to HELLO; the first codec is chosen",
	"CONFIG":               "one fragment, for MORE is not set",
	"CONFIG_OK":            "re 2: the last fragment of CONFIG; the phase setup begins",
	"NOTE":                 "a line for the log, at any time from HELLO_ACK to EXEC",
	`REQUEST "console"`:    "nfds 1: the terminal's master rides in the same packet",
	`REPLY "consoleTaken"`: "re 4: the request",
	`REQUEST "ready"`:      "everything is set up",
	`REPLY "run"`:          "the parent has committed; the phase released begins",
	"EXEC":                 "no payload; end of file is success from here on",
}

var (
	name = regexp.MustCompile(`"name":("[^"]*")`)
	pid  = regexp.MustCompile(`"pid":\d+`)
)

func describe(side string, packet []byte) []string {
	h, err := syncproto.ParseHeader(packet)
	if err != nil {
		return []string{err.Error()}
	}
	// The child's pid is the only thing that differs from run to run.
	payload := pid.ReplaceAllString(string(packet[syncproto.HeaderSize:]), `"pid":1`)
	h.Length = uint32(len(payload))
	what := h.Kind.String()
	if m := name.FindStringSubmatch(payload); m != nil && (h.Kind == syncproto.KindRequest ||
		h.Kind == syncproto.KindReply) {
		what += " " + m[1]
	}
	lines := []string{side + "  " + what, fmt.Sprintf("   % x", h.Append(nil))}
	for ; payload != ""; payload = payload[min(len(payload), 100):] {
		lines = append(lines, "   "+payload[:min(len(payload), 100)])
	}
	return append(lines, "   # "+remarks[what], "")
}
