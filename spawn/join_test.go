package spawn_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/rawfork"
	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

// every is all kinds, and the file of each below /proc/PID/ns.
var every = map[string]string{
	container.NSUser: "user", container.NSPid: "pid", container.NSMount: "mnt", container.NSNetwork: "net",
	container.NSIPC: "ipc", container.NSUTS: "uts", container.NSCgroup: "cgroup", container.NSTime: "time",
}

// holder starts a process in namespaces of its own, and holds it by a pidfd.
func holder(t *testing.T, user bool) (pid int, pidfd *os.File) {
	t.Helper()
	testenv.Root(t)
	// unshare(1) for the time namespace alone, which takes effect for children only.
	cmd := exec.Command("unshare", "--time", "--fork", "--kill-child", "sh", "-c", "echo on; exec sleep 1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET |
		unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP}
	if user {
		ids := []syscall.SysProcIDMap{{HostID: 100000, Size: 65536}}
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = ids, ids
		cmd.SysProcAttr.Credential = &syscall.Credential{}
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := out.Read(make([]byte, 3)); err != nil {
		t.Fatal("the holder did not start:", err)
	}
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "task", strconv.Itoa(cmd.Process.Pid),
		"children"))
	if err != nil {
		t.Fatal(err)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(string(data))); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	pidfd = os.NewFile(uintptr(fd), "pidfd")
	t.Cleanup(func() { pidfd.Close() })
	return pid, pidfd
}

func target(pidfd *os.File, user bool) *spawn.Target {
	tg := &spawn.Target{PIDFD: pidfd}
	for kind := range every {
		if (kind != container.NSUser || user) && (kind != container.NSTime || rawfork.Available) {
			tg.Kinds = append(tg.Kinds, kind)
		}
	}
	return tg
}

// links is what each file of a process's namespaces says.
func links(t *testing.T, ns string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for kind, file := range every {
		link, err := os.Readlink(filepath.Join(ns, file))
		if err != nil {
			t.Fatal(err)
		}
		all[kind] = link
	}
	return all
}

// TestJoinEverything joins all eight kinds, by the process and by the files, and sees itself from inside.
func TestJoinEverything(t *testing.T) {
	for _, user := range []bool{true, false} {
		t.Run("user="+strconv.FormatBool(user), func(t *testing.T) {
			needsFork(t)
			pid, pidfd := holder(t, user)
			ns := filepath.Join("/proc", strconv.Itoa(pid), "ns")
			want := links(t, ns)
			byPath := config("dumpable", "")
			for kind, file := range every {
				// that one is the child's own to join, after its execution
				if (kind != container.NSUser || user) && kind != container.NSMount {
					byPath.Namespaces = append(byPath.Namespaces, spawn.Namespace{Kind: kind, Path: filepath.Join(ns, file)})
				}
			}
			byProcess := config("dumpable", "")
			byProcess.Target = target(pidfd, user)
			for name, cfg := range map[string]spawn.Config{"path": byPath, "process": byProcess} {
				if name == "path" {
					cfg.Container.Process.Env = []string{howVariable + "ok"}
				}
				cfg.Container.Process.Args = []string{"/bin/sh", "-c", "id -u; for n in user pid mnt net ipc uts cgroup time; do " +
					"readlink /proc/$PPID/ns/$n /proc/thread-self/ns/$n; done; exec sleep 1000"}
				p := start(t, cfg)
				got := links(t, filepath.Join("/proc", strconv.Itoa(p.PID()), "ns"))
				if name == "path" {
					delete(got, container.NSMount)
				}
				for kind, link := range got {
					if link != want[kind] {
						t.Errorf("by %s: %s is %s, want %s", name, kind, link, want[kind])
					}
				}
				var st unix.Stat_t
				if err := unix.Stat("/proc/"+strconv.Itoa(p.PID()), &st); err != nil || user != (st.Uid == 100000) {
					t.Errorf("by %s: it belongs to host user %d (%v)", name, st.Uid, err)
				}
				_ = p.Signal(unix.SIGKILL)
				wait(t, p)
			}
		})
	}
}

// TestNewUserNamespaceWithJoinedTime: what must be joined as the caller is joined first, and the second process, which
// is the one in the new user namespace, gets the mappings.
func TestNewUserNamespaceWithJoinedTime(t *testing.T) {
	needsFork(t)
	pid, _ := holder(t, false)
	want := links(t, filepath.Join("/proc", strconv.Itoa(pid), "ns"))[container.NSTime]
	cfg := config("ok", "id -u; echo $$; cat /proc/self/uid_map; readlink /proc/self/ns/time")
	cfg.Namespaces = []spawn.Namespace{
		{Kind: container.NSTime, Path: "/proc/" + strconv.Itoa(pid) + "/ns/time"}, {Kind: container.NSUser},
		{Kind: container.NSPid}, {Kind: container.NSUTS},
	}
	cfg.UIDMappings = []spawn.IDMap{{HostID: 100000, Size: 65536}}
	cfg.GIDMappings = cfg.UIDMappings
	read := output(t, &cfg)
	if status := wait(t, start(t, cfg)); status.ExitStatus() != 0 {
		t.Errorf("exit status %d", status.ExitStatus())
	}
	if diff := cmp.Diff([]string{"0", "1", "0", "100000", "65536", want}, strings.Fields(read())); diff != "" {
		t.Error(diff)
	}
}

// TestErrorsOfTheBeginning: between the clone and the execution one errno may stand for a dozen calls. The error names
// the one that it was, and the cause.
func TestErrorsOfTheBeginning(t *testing.T) {
	needsFork(t)
	testenv.Root(t)
	maps := func(cfg *spawn.Config, uids ...spawn.IDMap) {
		cfg.Namespaces = []spawn.Namespace{{Kind: container.NSUser}}
		cfg.UIDMappings, cfg.GIDMappings = uids, []spawn.IDMap{{HostID: 100000, Size: 10}}
	}
	plain, garbage := filepath.Join(testenv.Dir(t), "plain"), filepath.Join(testenv.Dir(t), "garbage")
	for file, mode := range map[string]os.FileMode{plain: 0o644, garbage: 0o755} {
		if err := os.WriteFile(file, []byte("no program"), mode); err != nil {
			t.Fatal(err)
		}
	}
	execution := "execveat"
	if rawfork.CanShare {
		execution = "execve"
	}
	for name, c := range map[string]struct {
		change func(cfg *spawn.Config)
		errno  syscall.Errno
		text   string
	}{
		"mappings overlap": {func(cfg *spawn.Config) {
			maps(cfg, spawn.IDMap{HostID: 100000, Size: 10}, spawn.IDMap{ContainerID: 5, HostID: 200000, Size: 10})
		}, unix.EINVAL, `uid_map of the new user namespace, "0 100000 10\n5 200000 10\n": write /proc/`},
		"the mapping's end overflows": {func(cfg *spawn.Config) { maps(cfg, spawn.IDMap{HostID: 4294967290, Size: 10}) },
			unix.EINVAL, `uid_map of the new user namespace`},
		"not executable": {func(cfg *spawn.Config) { cfg.Init = []string{plain} }, unix.EACCES,
			execution + ": permission denied"},
		"no program": {func(cfg *spawn.Config) { cfg.Init = []string{garbage} }, unix.ENOEXEC,
			execution + ": exec format error"},
	} {
		cfg := config("ok", "true")
		c.change(&cfg)
		_, err := spawn.Start(context.Background(), cfg)
		if !errors.Is(err, c.errno) || !strings.Contains(err.Error(), c.text) ||
			strings.Contains(err.Error(), "lacks one of the namespaces") {
			t.Errorf("%s: %v, want %q", name, err, c.text)
		}
	}
}

// needsFork skips in builds that cannot fork by themselves, which join no user and no time namespaces.
func needsFork(t *testing.T) {
	t.Helper()
	if !rawfork.Available {
		t.Skip("this build is instrumented and can join neither user nor time namespaces")
	}
}

func TestJoinProfile(t *testing.T) {
	_, pidfd := holder(t, false)
	h := &recorder{}
	cfg := config("ok", "echo $$; hostname; exit 42")
	cfg.Target, cfg.Handler = target(pidfd, false), h
	read := output(t, &cfg)
	if status := wait(t, start(t, cfg)); status.ExitStatus() != 42 {
		t.Errorf("exit status %d, want 42", status.ExitStatus())
	}
	if got := strings.Fields(read()); len(got) != 2 || got[0] == "1" || len(got[0]) > 3 {
		t.Errorf("pid and host name: %q", got)
	}
	if diff := cmp.Diff([]string{"started", "ready"}, h.calls); diff != "" {
		t.Error(diff)
	}
}

// The mistakes that parents of joining children have made: to take the death of the child for success, to wait for it
// before killing it, to let an error of the socket hide the child's own, to wait for ever. The child dies before the
// join (its target is gone), between join and execution (it is killed), and at each point of the conversation after it.
func TestUnreliableJoin(t *testing.T) {
	pid, pidfd := holder(t, false)
	for _, c := range unreliable {
		cfg, told := trouble(t, c.how, c.act)
		if c.outcome == syncproto.TimedOut { // what does not hang has all the time that a busy machine takes
			const short = 500 * time.Millisecond
			switch c.state {
			case syncproto.Greeted:
				cfg.Deadlines.Hello = short
			case syncproto.Agreed:
				cfg.Deadlines.Config = short
			default:
				cfg.Deadlines.Idle = short
			}
		}
		cfg.Target = target(pidfd, false)
		_, err := spawn.Start(context.Background(), cfg)
		_ = told.Close()
		ended(t, c.how+c.act, err, c.outcome, c.state, c.text)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for unix.PidfdSendSignal(int(pidfd.Fd()), 0, nil, 0) == nil {
		time.Sleep(time.Millisecond)
	}
	cfg := config("ok", "true")
	cfg.Target = target(pidfd, false)
	if _, err := spawn.Start(context.Background(), cfg); !errors.Is(err, unix.ESRCH) ||
		!strings.Contains(err.Error(), "target") {
		t.Errorf("the target is gone: %v", err)
	}
}

// TestJoinBadPaths: what stands at a namespace's path is of another kind, no namespace, gone, or the caller's own.
func TestJoinBadPaths(t *testing.T) {
	needsFork(t)
	pid, _ := holder(t, true)
	ns := filepath.Join("/proc", strconv.Itoa(pid), "ns")
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{container.NSUser, container.NSTime} {
		for _, bad := range []struct {
			path, text string
			want       error
		}{
			{ns + "/ipc", "is a namespace of kind ipc", unix.EINVAL}, {"/etc/passwd", "is not a namespace file", unix.EINVAL},
			{ns + "/nothing", "", unix.ENOENT},
			{fifo, "is not a namespace file", unix.EINVAL}, {t.TempDir(), "is not a namespace file", unix.EINVAL},
		} {
			cfg := config("ok", "true")
			cfg.Namespaces = []spawn.Namespace{{Kind: kind, Path: bad.path}}
			_, err := spawn.Start(context.Background(), cfg)
			if !errors.Is(err, bad.want) || !strings.Contains(err.Error(), bad.path) ||
				!strings.Contains(err.Error(), bad.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("join %s %s: %v, want %v, the path and %q", kind, bad.path, err, bad.want, bad.text)
			}
		}
	}
	cfg := config("ok", "true")
	cfg.Namespaces = []spawn.Namespace{{Kind: container.NSUser, Path: "/proc/self/ns/user"}}
	if _, err := spawn.Start(context.Background(), cfg); !errors.Is(err, unix.EINVAL) ||
		!strings.Contains(err.Error(), "the caller's own") {
		t.Errorf("join of the caller's own user namespace: %v", err)
	}
}

// A plain user may not join what belongs to root.
func TestJoinOfAnother(t *testing.T) {
	needsFork(t)
	pid, _ := holder(t, true)
	runAs(t, 65534, "JOIN_PID="+strconv.Itoa(pid))
}

// runAs runs this binary as another user, with asPlainUser as all that it does.
func runAs(t *testing.T, uid uint32, env string) {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir := testenv.Dir(t)
	program := filepath.Join(dir, "spawn.test")
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Dir, cmd.Env = dir, []string{env, "PATH=/nonexistent", "TMPDIR=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "refused as it should be\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

// asPlainUser tries what this user may not do, in a process of its own.
func asPlainUser(pid string) {
	fail := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
		os.Exit(1)
	}
	cfg := config("ok", "true")
	cfg.Namespaces = []spawn.Namespace{{Kind: container.NSUser, Path: "/proc/" + pid + "/ns/user"}}
	if _, err := spawn.Start(context.Background(), cfg); !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM) {
		fail("join of another user's namespace: %v", err)
	}
	cfg = config("ok", "true")
	cfg.Namespaces = []spawn.Namespace{{Kind: container.NSUser}}
	cfg.UIDMappings = []spawn.IDMap{{HostID: 100000, Size: 10}}
	cfg.GIDMappings = cfg.UIDMappings
	if _, err := spawn.Start(context.Background(), cfg); err == nil || !strings.HasPrefix(err.Error(), "newuid") &&
		!strings.Contains(err.Error(), "newuidmap") {
		fail("a mapping that this user may not have: %v", err)
	}
	fmt.Println("refused as it should be")
	os.Exit(0)
}
