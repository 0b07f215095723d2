package test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// supervisor is an agent that filters pass calls to. It replies to every call with a value of its own.
type supervisor struct {
	t        testing.TB
	path     string
	value    int64
	flags    uint32 // of every answer: userNotifContinue has the kernel carry out the call, and value must be 0
	messages chan string
	stop     func()
}

// notification is struct seccomp_notif of <linux/seccomp.h>, and response struct seccomp_notif_resp.
type notification struct {
	id         uint64
	pid, flags uint32
	number     int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type response struct {
	id    uint64
	value int64
	error int32
	flags uint32
}

// Numbers of <linux/seccomp.h>: SECCOMP_IOCTL_NOTIF_RECV and SECCOMP_IOCTL_NOTIF_SEND, by the generic layout of ioctl
// numbers.
const (
	notifReceive = 0xc0502100
	notifSend    = 0xc0182101

	userNotifContinue = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE
)

// supervise listens at a path that is longer than a socket address can be.
func supervise(t testing.TB, value int64) *supervisor {
	t.Helper()
	dir := filepath.Join(testenv.Dir(t), strings.Repeat("long", 30))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &supervisor{t: t, path: filepath.Join(dir, "agent.sock"), value: value, messages: make(chan string, 10)}
	short, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer short.Close()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fmt.Sprintf("/proc/self/fd/%d/agent.sock", short.Fd())})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			s.serve(c)
		}
	}()
	s.stop = func() { _ = l.Close(); <-done }
	t.Cleanup(s.stop)
	return s
}

// serve accepts one listener and replies to its calls until the last process of the filter has ended.
func (s *supervisor) serve(c *net.UnixConn) {
	data, rights := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4))
	n, oobn, flags, _, err := c.ReadMsgUnix(data, rights)
	_ = c.Close()
	if err != nil || flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		s.t.Errorf("the message: flags %#x, %v", flags, err)
		return
	}
	s.messages <- string(data[:n])
	control, err := unix.ParseSocketControlMessage(rights[:oobn])
	if err != nil || len(control) != 1 {
		s.t.Errorf("%d control messages, %v", len(control), err)
		return
	}
	fds, err := unix.ParseUnixRights(&control[0])
	if err != nil || len(fds) != 1 {
		s.t.Errorf("descriptors %v, %v", fds, err)
		return
	}
	defer unix.Close(fds[0])
	if s.value < 0 {
		return // the supervisor ends without a reply
	}
	for {
		poll := []unix.PollFd{{Fd: int32(fds[0]), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err == unix.EINTR {
			continue
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			return
		}
		var in notification
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fds[0]), notifReceive,
			uintptr(unsafe.Pointer(&in))); errno != 0 {
			continue // the caller has been killed
		}
		out := response{id: in.id, value: s.value, flags: s.flags}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fds[0]), notifSend, uintptr(unsafe.Pointer(&out)))
	}
}

// bundleWithAgent returns a bundle whose program calls getppid, whose result the agent decides.
func bundleWithAgent(t testing.TB, agent string) string {
	t.Helper()
	p := profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_NOTIFY", -1, "getppid"))
	p["listenerPath"], p["listenerMetadata"] = agent, "for <the> agent"
	bundle := bundleWithCall(t, p, strconv.Itoa(unix.SYS_GETPPID))
	edit(t, bundle, func(c map[string]any) { c["annotations"] = map[string]any{"a": "b"} })
	return bundle
}

// TestSeccompAgent: an agent decides what a call in a container returns, for the first process and for one that joins,
// and gets the container process state as the specification defines it.
func TestSeccompAgent(t *testing.T) {
	r, s := newRuntime(t), supervise(t, 4711)
	bundle, id := bundleWithAgent(t, s.path), testenv.ID(t)
	if o := r.do("run", "-b", bundle, id); o != (outcome{stdout: "calling\nresult 4711\n"}) {
		t.Errorf("run: %+v", o)
	}
	s.got(bundle, id, "created", 0)

	edit(t, bundle, func(c map[string]any) {
		testenv.SetArgs(c, "/bin/sh", "-c", "echo ready; exec sleep 1000")
	})
	out, err := os.Create(filepath.Join(bundle, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	create := r.command("create", "-b", bundle, id)
	create.Stdout, create.Stderr = out, out
	if err := create.Run(); err != nil {
		t.Fatal(err)
	}
	defer r.ok("delete", "--force", id)
	select {
	case m := <-s.messages:
		t.Errorf("before start the agent got %s", m)
	default:
	}
	r.ok("start", id)
	first := s.got(bundle, id, "created", 0)
	// The agent serves one listener at a time; a second agent serves the next.
	second := supervise(t, 12)
	if err := os.Rename(second.path, s.path); err != nil {
		t.Fatal(err)
	}
	if o := r.do("exec", id, worker, "call",
		strconv.Itoa(unix.SYS_GETPPID)); o != (outcome{stdout: "calling\nresult 12\n"}) {
		t.Errorf("exec: %+v", o)
	}
	second.got(bundle, id, "running", first)
}

// got checks a message byte for byte, and returns its process; first is the container's first process, or zero if the
// message is about that one.
func (s *supervisor) got(bundle, id, status string, first int) int {
	s.t.Helper()
	text := <-s.messages
	var m struct{ PID int }
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		s.t.Fatal(err)
	}
	if first == 0 {
		first = m.PID
	} else if m.PID == first {
		s.t.Errorf("process %d joins itself", first)
	}
	want := fmt.Sprintf(`{"ociVersion":"1.3.0","fds":["seccompFd"],"pid":%d,"metadata":"for \u003cthe\u003e agent",`+
		`"state":{"ociVersion":"1.2.0","id":%q,"status":%q,"pid":%d,"bundle":%q,`+
		`"annotations":{"a":"b"}}}`, m.PID, id, status, first, bundle)
	if text != want {
		s.t.Errorf("the agent got\n%s, want\n%s", text, want)
	}
	return m.PID
}

// TestSeccompAgentForImportantCalls: an agent may have the calls that the runtime's child itself makes once the agent
// has the listener, for run, start and exec, and whether or not the filter is loaded with no_new_privs.
func TestSeccompAgentForImportantCalls(t *testing.T) {
	for _, plain := range []bool{false, true} {
		r, id, s := newRuntime(t), testenv.ID(t), supervise(t, 0)
		s.flags = userNotifContinue
		bundle := shell(t, "echo done", func(c map[string]any) {
			p := profile("SCMP_ACT_ALLOW",
				rule("SCMP_ACT_NOTIFY", -1, "execve", "openat", "open", "read", "close", "fcntl"))
			p["listenerPath"] = s.path
			linux(c)["seccomp"] = p
			process(c)["noNewPrivileges"] = plain
		})
		if o := r.do("run", "-b", bundle, id); o != (outcome{stdout: "done\n"}) {
			t.Errorf("run, noNewPrivileges %v: %+v", plain, o)
		}
		edit(t, bundle, func(c map[string]any) { testenv.SetArgs(c, "/bin/sleep", "1000") })
		if err := r.command("create", "-b", bundle, id).Run(); err != nil {
			t.Fatal(err)
		}
		r.ok("start", id)
		// The agent serves one listener at a time; a second one takes the next.
		second := supervise(t, 0)
		second.flags = userNotifContinue
		must(t, os.Rename(second.path, s.path))
		if o := r.do("exec", id, "/bin/echo", "joined"); o != (outcome{stdout: "joined\n"}) {
			t.Errorf("exec, noNewPrivileges %v: %+v", plain, o)
		}
		r.ok("delete", "--force", id)
	}
}

// TestSeccompDebugFlags: the log has the flags as the kernel gets them, with that of the listener.
func TestSeccompDebugFlags(t *testing.T) {
	for flags, want := range map[string]string{"": "8", "SECCOMP_FILTER_FLAG_LOG": "10"} {
		bundle := bundleWithAgent(t, supervise(t, 4711).path)
		edit(t, bundle, func(c map[string]any) {
			linux(c)["seccomp"].(map[string]any)["flags"] = strings.Fields(flags)
		})
		o := newRuntime(t, "--debug").do("run", "-b", bundle, testenv.ID(t))
		contains(t, o.stderr, `msg="seccomp filter flags: `+want+`"`)
	}
}

// TestSeccompAgentMissing: an agent that is missing, or that ends before or after it gets the listener, is an error
// that names its path, and nothing is left of the container.
func TestSeccompAgentMissing(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	absent := filepath.Join(testenv.Dir(t), "absent")
	r.fails([]string{"linux.seccomp.listenerPath", absent, "no such file or directory"}, "run", "-b", bundleWithAgent(t,
		absent), id)

	gone := supervise(t, 0)
	gone.stop()
	r.fails([]string{"linux.seccomp.listenerPath", gone.path, "connection refused"}, "run", "-b", bundleWithAgent(t,
		gone.path), id)

	bundle := bundleWithAgent(t, gone.path)
	edit(t, bundle, func(c map[string]any) { testenv.SetArgs(c, "/bin/sleep", "1000") })
	create := r.command("create", "-b", bundle, id)
	if err := create.Run(); err != nil {
		t.Fatal(err)
	}
	r.fails([]string{"linux.seccomp.listenerPath", gone.path, "connection refused"}, "start", id)
	r.awaitStatus(id, "stopped")
	r.ok("delete", id)

	ends := supervise(t, -1)
	p := profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_NOTIFY", -1, "execve"))
	p["listenerPath"] = ends.path
	r.fails([]string{"exec /bin/work", "function not implemented", "go to the agent at " + ends.path}, "run", "-b",
		bundleWithCall(t,
			p, "0"), id)

	p = profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_NOTIFY", -1, "futex"))
	p["listenerPath"] = ends.path
	r.fails([]string{"SCMP_ACT_NOTIFY cannot be used for the futex syscall"}, "run", "-b", bundleWithCall(t, p, "0"), id)
}

// TestSeccompUnusedListener: a listenerPath that no rule uses is a warning.
func TestSeccompUnusedListener(t *testing.T) {
	p := profile("SCMP_ACT_ALLOW")
	p["listenerPath"] = "/no/such/agent"
	o := newRuntime(t).do("run", "-b", shell(t, "echo here", func(c map[string]any) { linux(c)["seccomp"] = p }),
		testenv.ID(t))
	if o.stdout != "here\n" || o.status != 0 {
		t.Errorf("%+v", o)
	}
	contains(t, o.stderr, "level=warning", "linux.seccomp.listenerPath", "/no/such/agent", "is not used")
}
