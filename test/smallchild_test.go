package test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/internal/testenv"
)

// facts is a script that says all that a program can find out about what its child has made of it.
const facts = `
cut -d' ' -f4- /proc/self/mountinfo | sort
grep -E '^(Umask|Uid|Gid|Groups|Sig(Pnd|Blk|Ign)|Cap|NoNewPrivs|Seccomp|Cpus|Mems_allowed_list)' /proc/self/status
cat /proc/self/limits /proc/self/cgroup /proc/self/oom_score_adj /proc/self/timerslack_ns
for f in 0 1 2 3 4 5 6 7; do test -e /proc/self/fd/$f && echo descriptor $f; done
pwd; env; hostname; umask; ip link 2>/dev/null
find / -xdev ! -type l -exec stat -c '%n %F %a %u:%g %t:%T %N' {} + 2>/dev/null
find /dev -exec stat -c '%n %F %a %u:%g %t:%T %N' {} + 2>/dev/null
cat /proc/sys/net/ipv4/ip_forward; echo $$ $PPID; cut -d' ' -f5-7 /proc/self/stat
exit 7`

// changing is what differs between two containers: names of devices, peer groups, the group's own name.
var changing = regexp.MustCompile(
	`(shared|master):[0-9]+|[a-z0-9]+-[0-9]+-TestSmallChild\S*|/handfast-\S+|\b[0-9]+:[0-9]+ /`)

// TestSmallChildIsLikeAWhole: what a program finds does not tell which child has executed it.
func TestSmallChildIsLikeAWhole(t *testing.T) {
	if !smallchild.Available {
		t.Skip("this architecture, or this build, has no small child")
	}
	for name, change := range map[string]func(t *testing.T, c map[string]any){
		"plain": func(*testing.T, map[string]any) {},
		"user": func(t *testing.T, c map[string]any) {
			process(c)["user"] = map[string]any{"uid": 1000, "gid": 100, "additionalGids": []int{5, 7}, "umask": 0o27}
			process(c)["cwd"] = "/tmp"
		},
		"rights": func(t *testing.T, c map[string]any) {
			process(c)["noNewPrivileges"] = false
			all := []string{"CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_NET_RAW", "CAP_SYSLOG"}
			process(c)["capabilities"] = map[string]any{"bounding": all, "permitted": all[:3], "effective": all[:2],
				"inheritable": all[:2], "ambient": all[:1]}
			process(c)["rlimits"] = []map[string]any{{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
				{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}}
			linux(c)["seccomp"] = map[string]any{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []map[string]any{
				{"names": []string{"kexec_load"}, "action": "SCMP_ACT_ERRNO"}}}
		},
		"names": func(t *testing.T, c map[string]any) {
			c["hostname"], c["domainname"] = "small", "child"
			linux(c)["sysctl"] = map[string]any{"net.ipv4.ip_forward": "1"}
			process(c)["args"] = []string{"sh", "-c", facts}
			process(c)["env"] = []string{"PATH=/no/such:/bin", "A=1", "A=2", "HOME="}
		},
		"mounts": func(t *testing.T, c map[string]any) {
			dir := testenv.Dir(t)
			file := filepath.Join(dir, "file")
			if err := os.WriteFile(file, []byte("x"), 0o640); err != nil {
				t.Fatal(err)
			}
			link := filepath.Join(dir, "link")
			if err := os.Symlink("/no/such", link); err != nil {
				t.Fatal(err)
			}
			c["root"].(map[string]any)["readonly"] = true
			c["mounts"] = append(c["mounts"].([]any),
				map[string]any{"destination": "/dev/new/copied", "source": link, "type": "bind",
					"options": []string{"rbind", "copy-symlink"}},
				map[string]any{"destination": "/new/deep/dir", "source": dir, "type": "bind",
					"options": []string{"rbind", "ro", "rprivate"}},
				map[string]any{"destination": "/new/file", "source": file, "type": "bind", "options": []string{"bind", "nosuid"}},
				map[string]any{"destination": "/tmp", "source": "tmpfs", "type": "tmpfs",
					"options": []string{"ro", "size=1m", "rslave"}},
			)
			linux(c)["maskedPaths"] = []string{"/proc/kcore", "/proc/scsi", "/sys/firmware", "/no/such", "/proc/timer_list"}
			linux(c)["readonlyPaths"] = []string{"/proc/sys", "/proc/bus", "/no/such"}
			linux(c)["devices"] = []map[string]any{{"path": "/dev/own", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640,
				"uid": 3, "gid": 4}, {"path": "/dev/fifo", "type": "p"}}
		},
		"copied up": copyUp(`mkdir -p a/b/c many; echo content >a/file; cp a/file a/b/suid; : >a/b/c/empty
			head -c 300000 /dev/zero >a/b/c/large
			ln -s /etc/passwd link; ln -s ` + strings.Repeat("x", 4000) + ` long; ln -s y short
			mkfifo fifo; mknod dev c 1 3
			for n in $(seq 300); do echo $n >many/a-name-that-fills-the-buffer-of-names-$n; done
			: >...; : >..a; : >.b; chown -R 7:8 .; chown -h 5:6 link
			chmod 6755 a/b/suid; chmod 2750 a; chmod 1777 a/b; chmod 604 fifo; chmod 640 dev`),
		"copied up, with options": func(t *testing.T, c map[string]any) {
			copyUp("echo content >file; chown 7:8 . file")(t, c)
			addMount(c, "/tmp", "tmpfs", "tmpfs", "tmpcopyup", "ro", "mode=700", "uid=3", "size=1m")
			addMount(c, "/no/such", "tmpfs", "tmpfs", "tmpcopyup")
		},
		"copied up, in a user namespace": func(t *testing.T, c map[string]any) {
			testenv.MapIDs(c, hostIDs, 65536)
			copyUp(`mkdir -p a/b; echo content >a/file; ln -s x a/link; mkfifo a/b/fifo
				chown -hR $((`+fmt.Sprint(hostIDs)+`+7)):`+fmt.Sprint(hostIDs)+` .; chmod 640 a/file; chown 1:2 a/b`)(t, c)
		},
		"long environment": func(_ *testing.T, c map[string]any) { // a program of several fragments
			env := []string{"PATH=/bin"}
			for i := range 2000 {
				env = append(env, fmt.Sprintf("SERVICE_%d=tcp://10.0.%d.%d:443/some/path", i, i/250, i%250))
			}
			process(c)["env"] = env
		},
		"shared root": func(_ *testing.T, c map[string]any) { linux(c)["rootfsPropagation"] = "rshared" },
		"shared root, in a user namespace that cannot reach it": func(t *testing.T, c map[string]any) {
			linux(c)["rootfsPropagation"] = "rshared"
			testenv.MapIDs(c, hostIDs, 65536)
			closeRoot(t, c)
		},
		"user namespace": func(_ *testing.T, c map[string]any) { testenv.MapIDs(c, hostIDs, 65536) },
		"user namespace, several mappings": func(_ *testing.T, c map[string]any) {
			mapIDs(c)
			process(c)["user"] = map[string]any{"uid": 1000, "gid": 100, "additionalGids": []int{5}}
			process(c)["noNewPrivileges"] = false
			process(c)["cwd"] = "/tmp"
			linux(c)["namespaces"] = append(linux(c)["namespaces"].([]any), map[string]any{"type": "cgroup"})
		},
		"user namespace, sources and devices": func(t *testing.T, c map[string]any) {
			testenv.MapIDs(c, hostIDs, 65536)
			dir := testenv.Dir(t)
			if err := os.MkdirAll(filepath.Join(dir, "closed", "within"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(dir, "closed"), 0o700); err != nil {
				t.Fatal(err)
			}
			c["mounts"] = append(c["mounts"].([]any),
				map[string]any{"destination": "/tmp", "source": "tmpfs", "type": "tmpfs"},
				map[string]any{"destination": "/tmp/open", "source": dir, "type": "bind", "options": []string{"rbind", "ro"}},
				map[string]any{"destination": "/tmp/closed", "source": filepath.Join(dir, "closed", "within"), "type": "bind",
					"options": []string{"bind", "nosuid"}},
			)
			linux(c)["devices"] = []map[string]any{
				{"path": "/dev/own", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 3, "gid": 4},
				{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229},
				{"path": "/dev/fifo", "type": "p"},
			}
		},
		"user namespace, closed root": func(t *testing.T, c map[string]any) {
			testenv.MapIDs(c, hostIDs, 65536)
			closeRoot(t, c)
			c["mounts"] = append(c["mounts"].([]any), map[string]any{"destination": "/tmp", "source": testenv.Dir(t),
				"type": "bind", "options": []string{"bind", "ro"}})
		},
		"user namespace, host's network": func(_ *testing.T, c map[string]any) {
			testenv.MapIDs(c, hostIDs, 65536)
			linux(c)["namespaces"] = slices.DeleteFunc(linux(c)["namespaces"].([]any), func(n any) bool {
				return n.(map[string]any)["type"] == "network"
			})
		},
		"terminal": func(_ *testing.T, c map[string]any) { onTTY(c) },
		"terminal of a user": func(_ *testing.T, c map[string]any) {
			onTTY(c)
			process(c)["user"] = map[string]any{"uid": 1000, "gid": 100}
			process(c)["cwd"] = "/tmp"
			c["mounts"] = append(c["mounts"].([]any),
				map[string]any{"destination": "/new", "source": "tmpfs", "type": "tmpfs", "options": []string{"ro"}})
		},
		"terminal in a user namespace": func(t *testing.T, c map[string]any) {
			onTTY(c)
			mapIDs(c)
			closeRoot(t, c)
		},
		"terminal and hooks": func(_ *testing.T, c map[string]any) {
			onTTY(c)
			c["root"].(map[string]any)["readonly"] = true
			setHook(c, "createRuntime", 0, "/bin/true")
		},
		"hooks": func(t *testing.T, c map[string]any) {
			mark := filepath.Join(testenv.Dir(t), "mark")
			setHook(c, "prestart", 0, "/bin/sh", "sh", "-c", "cat >/dev/null; echo prestart >>"+mark)
			setHook(c, "createRuntime", 0, "/bin/sh", "sh", "-c", "cat >/dev/null; echo createRuntime >>"+mark)
			c["mounts"] = append(c["mounts"].([]any), map[string]any{"destination": "/mark", "source": filepath.Dir(mark),
				"type": "bind", "options": []string{"bind"}})
			process(c)["args"] = []string{"sh", "-c", "cat /mark/mark;" + facts}
		},
	} {
		t.Run(name, func(t *testing.T) {
			small, _ := bothChildren(t, newRuntime(t), func(c map[string]any) { change(t, c) })
			if small.status != 7 {
				t.Errorf("status %d, want 7: %s", small.status, small.stderr)
			}
		})
	}
}

// copyUp gives a container a tmpfs on /run with what a script makes in the image's directory, and a socket, and makes
// the container list that.
func copyUp(script string) func(t *testing.T, c map[string]any) {
	return func(t *testing.T, c map[string]any) {
		t.Helper()
		dir := filepath.Join(c["root"].(map[string]any)["path"].(string), "run")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mknod(filepath.Join(dir, "sock"), unix.S_IFSOCK|0o642, 0); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("sh", "-ec", "umask 0; cd "+dir+"; "+script).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		addMount(c, "/run", "tmpfs", "tmpfs", "tmpcopyup", "nosuid")
		process(c)["args"] = []string{"sh", "-c", `cd /run; find . | sort | xargs stat -c '%n %F %a %u:%g %t:%T %N'
			find . -type f | sort | xargs md5sum; cd /;` + facts}
	}
}

// TestSmallChildCannotCopyUp: what is rare in a directory that is copied takes a whole child.
func TestSmallChildCannotCopyUp(t *testing.T) {
	if !smallchild.Available {
		t.Skip("this architecture, or this build, has no small child")
	}
	r := newRuntime(t)
	const whole = "whole: the small one could not continue at mount tmpfs"
	for _, c := range []struct {
		script, attribute, child string
	}{
		{"mkdir -p 1/2/3; : >1/2/3/file", "", "small"},
		{"mkdir -p 1/2/3/4", "", whole},
		{": >file", "trusted.a", whole},
	} {
		bundle := shell(t, "", func(config map[string]any) { copyUp(c.script)(t, config) })
		if c.attribute != "" {
			file := filepath.Join(rootOf(t, bundle), "run", "file")
			if err := unix.Setxattr(file, c.attribute, []byte("value"), 0); err != nil {
				t.Fatal(err)
			}
		}
		o := r.do("--debug", "run", "-b", bundle, testenv.ID(t))
		contains(t, o.stderr, ": child "+c.child)
		if o.status != 7 {
			t.Errorf("%s: status %d: %s", c.script, o.status, o.stderr)
		}
	}
}

// bothChildren runs a container that says the facts twice, with a small child and with a whole one, and compares what
// they say and their ends. The error output of the outcomes is the words of a failure alone.
func bothChildren(t *testing.T, r *runtime, change func(c map[string]any)) (small, whole outcome) {
	t.Helper()
	run := func(child string, flags ...string) outcome {
		t.Helper()
		terminal, log := false, filepath.Join(testenv.Dir(t), "log")
		bundle := shell(t, facts, func(c map[string]any) {
			change(c)
			terminal = process(c)["terminal"] == true
		})
		cmd := r.command(append(append([]string{"--debug", "--log", log, "run"}, flags...), "-b", bundle,
			testenv.ID(t))...)
		said, status := outputOf(t, cmd, terminal)
		data, err := os.ReadFile(log)
		if err != nil {
			t.Error(err)
		}
		if status == 7 {
			contains(t, string(data), ": child "+child)
		}
		_, words, _ := strings.Cut(string(data), "level=error msg=")
		return outcome{changing.ReplaceAllString(said, "*"), changing.ReplaceAllString(words, "*"), status}
	}
	small, whole = run("small"), run("whole: ", "--trace", filepath.Join(testenv.Dir(t), "trace"))
	if diff := cmp.Diff(strings.Split(whole.stdout, "\n"), strings.Split(small.stdout, "\n")); diff != "" {
		t.Errorf("from a whole child to a small one\n%s", diff)
	}
	if small.status != whole.status || small.stderr != whole.stderr {
		t.Errorf("with a small child %d %swith a whole one %d %s", small.status, small.stderr, whole.status, whole.stderr)
	}
	return small, whole
}

// onTTY gives a container a terminal, and makes its program say which.
func onTTY(c map[string]any) {
	process(c)["terminal"] = true
	process(c)["args"] = []string{"sh", "-c", "tty; stty; echo to the console >/dev/console;" + facts}
}

// outputOf runs a command, on a terminal if it needs one, and returns what it says and its status.
func outputOf(t *testing.T, cmd *exec.Cmd, terminal bool) (string, int) {
	t.Helper()
	if terminal {
		return onScreen(t, cmd, nil)
	}
	o := finish(t, cmd)
	return o.stdout + o.stderr, o.status
}

// mapIDs gives a container a user namespace with several mappings.
func mapIDs(c map[string]any) {
	testenv.MapIDs(c, hostIDs, 1000)
	for _, key := range []string{"uidMappings", "gidMappings"} {
		linux(c)[key] = append(linux(c)[key].([]any), map[string]any{"containerID": 1000, "hostID": 2 * hostIDs, "size": 1},
			map[string]any{"containerID": 5000, "hostID": 2*hostIDs + 5000, "size": 10})
	}
}

// closeRoot moves the root file system into a directory in which only root of the host may search.
func closeRoot(t *testing.T, c map[string]any) {
	t.Helper()
	closed := filepath.Join(testenv.Dir(t), "closed")
	root := c["root"].(map[string]any)
	within := filepath.Join(closed, "root")
	if err := errors.Join(os.Mkdir(closed, 0o700), os.Rename(root["path"].(string), within)); err != nil {
		t.Fatal(err)
	}
	root["path"] = within
}

// TestSmallChildOfExec: what a process finds that joins a container, and the words of an error, do not tell which child
// has executed it, or could not.
func TestSmallChildOfExec(t *testing.T) {
	if !smallchild.Available {
		t.Skip("this architecture, or this build, has no small child")
	}
	r := newRuntime(t)
	for _, in := range []struct {
		name   string
		change func(c map[string]any)
	}{
		{"a container", func(map[string]any) {}},
		{"a user namespace", func(c map[string]any) { testenv.MapIDs(c, hostIDs, 65536) }},
		{"a filter", func(c map[string]any) {
			linux(c)["seccomp"] = profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_ERRNO", -1, "kexec_load"))
		}},
	} {
		id, bundle := r.sleeper(in.change)
		putScript(t, rootOf(t, bundle), "#!/no/such\n")
		for _, args := range [][]string{
			{"--tty", id, "sh", "-c", "tty; stty; " + facts},
			{"--tty", "--user", "1000:100", id, "sh", "-c", "stat -c '%n %u:%g %a' $(tty); " + facts},
			{"--tty", id, "/no/such"}, {"--tty", id, "nosuch"}, {"--tty", id, "/script"},
			{"--tty", "--cwd", "/no/such", id, "true"},
			{id, "sh", "-c", facts},
			{"--user", "1000:100", "--additional-gids", "7", "--cwd", "/tmp", "--env", "A=1", id, "/bin/sh", "-c", facts},
			{"--cap", "CAP_NET_RAW", "--no-new-privs", "--user", "65534", id, "sh", "-c", facts},
			{id, "/no/such"}, {id, "nosuch"}, {id, "/tmp"}, {id, "/script"},
			{"--cwd", "/bin/sh", id, "true"}, {"--cwd", "/no/such", id, "true"}, {"--user", "1000", "--cwd", "/root", id, "pwd"},
		} {
			trace := filepath.Join(testenv.Dir(t), "trace")
			small, whole := r.outcomeOf(append([]string{"exec"}, args...)...),
				r.outcomeOf(append([]string{"exec", "--trace", trace}, args...)...)
			for _, o := range []*outcome{&small, &whole} {
				_, words, _ := strings.Cut(o.stderr, "msg=")
				o.stderr, o.stdout = changing.ReplaceAllString(words, "*"), changingOfExec.ReplaceAllString(o.stdout, "*")
			}
			diff := cmp.Diff(strings.Split(whole.stdout, "\n"), strings.Split(small.stdout, "\n"))
			if diff != "" || small.status != whole.status || small.stderr != whole.stderr ||
				small.stdout == "" && small.stderr == "" {
				t.Errorf("in %s, %.40q: statuses %d and %d, errors %q and %q; from a whole child to a small one\n%s", in.name, args,
					whole.status, small.status, whole.stderr, small.stderr, diff)
			}
		}
		o := r.do("--debug", "exec", id, "true")
		contains(t, o.stderr, ": child small")
		o = r.outcomeOf("--debug", "exec", "--tty", id, "true")
		contains(t, o.stderr, ": child small")
	}
}

// outcomeOf runs an exec, on a terminal if it wants one. What the terminal shows is the output, or the error if it is
// one.
func (r *runtime) outcomeOf(args ...string) (o outcome) {
	r.t.Helper()
	if !slices.Contains(args, "--tty") {
		return r.do(args...)
	}
	screen, status := onScreen(r.t, r.command(args...), nil)
	o.stdout, o.status = strings.ReplaceAll(screen, "\r\n", "\n"), status
	if strings.Contains(o.stdout, "msg=") {
		o.stdout, o.stderr = "", o.stdout
	}
	return o
}

// TestSmallChildOfManyTerminals: the small child has names for the first terminals of a container alone.
func TestSmallChildOfManyTerminals(t *testing.T) {
	if !smallchild.Available {
		t.Skip("this architecture, or this build, has no small child")
	}
	r := newRuntime(t)
	id, _ := r.sleeper(func(c map[string]any) {
		opened := "exec 3<>/dev/ptmx"
		for fd := 4; fd < 10; fd++ {
			opened += fmt.Sprintf(" %d<>/dev/ptmx", fd)
		}
		testenv.SetArgs(c, "sh", "-c", opened+"; touch /tmp/opened; exec sleep 1000")
	})
	eventually(t, "seven terminals", func() bool { return r.do("exec", id, "test", "-e", "/tmp/opened").status == 0 })
	last := r.outcomeOf("exec", "--tty", id, "sh", "-c", "tty; exec 3<>/dev/ptmx; ls /dev/pts")
	if last.stdout != "/dev/pts/7\n0     1     2     3     4     5     6     7     8     ptmx\n" {
		t.Errorf("%+v", last)
	}
	r.inside(id, "(exec 3<>/dev/ptmx; touch /tmp/eight; sleep 1000) </dev/null >/dev/null 2>&1 &")
	eventually(t, "eight terminals", func() bool { return r.do("exec", id, "test", "-e", "/tmp/eight").status == 0 })
	o := r.outcomeOf("--debug", "exec", "--tty", id, "tty")
	contains(t, o.stderr, "/dev/pts/8", ": child whole: the small one could not continue at console")
}

// TestNoProgramsInMemory: where these may not be executed, the child is a whole one. Linux before 6.3 cannot forbid it.
func TestNoProgramsInMemory(t *testing.T) {
	forbid, child := "echo 2 >/proc/sys/vm/memfd_noexec", "whole: the small one cannot be put into memory: "
	switch {
	case !smallchild.Available:
		child = "whole: "
	case !linuxIs(t, 6, 3):
		forbid, child = "true", "small"
	}
	testenv.Tool(t, "unshare", "util-linux")
	r := newRuntime(t)
	r.wrap = func(cmd *exec.Cmd) *exec.Cmd {
		return exec.Command("unshare", append([]string{"--pid", "--fork", "--mount-proc", "sh", "-c",
			forbid + ` && exec "$@"`, "sh"}, cmd.Args...)...)
	}
	o := r.do("--debug", "run", "-b", shell(t, "exit 7", nil), testenv.ID(t))
	contains(t, o.stderr, ": child "+child)
	if o.status != 7 {
		t.Errorf("%+v", o)
	}
}

// TestSmallChildCannotBeWritten (CVE-2019-5736): what the child of a created container executes is sealed.
func TestSmallChildCannotBeWritten(t *testing.T) {
	if !smallchild.Available {
		t.Skip("this architecture, or this build, has no small child")
	}
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("create", "-b", shell(t, "exit 0", nil), id)
	defer r.ok("delete", "--force", id)
	exe, err := os.Open(filepath.Join("/proc", strconv.Itoa(int(r.stateOf(id)["pid"].(float64))), "exe"))
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	const want = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if seals, err := unix.FcntlInt(exe.Fd(), unix.F_GET_SEALS, 0); err != nil || seals&want != want {
		t.Errorf("seals %#x, %v, want %#x", seals, err, want)
	}
}

// TestSilentAtTheGate checks that a process which connects to the gate of a created container and says nothing does not
// keep out start for good, whichever child waits there.
func TestSilentAtTheGate(t *testing.T) {
	r := newRuntime(t)
	// A small child waits at the first gate, a whole one at the second.
	for _, flags := range [][]string{nil, {"--trace", filepath.Join(testenv.Dir(t), "trace")}} {
		id := testenv.ID(t)
		r.ok(append(append([]string{"create"}, flags...), "-b", shell(t, "exit 0", nil), id)...)
		// A socket's address has room for 107 bytes, unix(7).
		dir, err := os.Open(filepath.Join(r.root, id))
		if err != nil {
			t.Fatal(err)
		}
		silent, err := net.Dial("unixpacket", fmt.Sprintf("/proc/self/fd/%d/start.sock", dir.Fd()))
		_ = dir.Close()
		if err != nil {
			t.Fatal(err)
		}
		r.ok("start", id)
		_ = silent.Close()
		r.ok("delete", "--force", id)
	}
}

// changingOfExec is what differs between two processes in one container: their numbers.
var changingOfExec = regexp.MustCompile(`(?m)^[0-9]+ [0-9]+$|^[0-9]+ [0-9]+ [0-9]+$|/proc/[0-9]+\S*`)

func putScript(t *testing.T, root, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, "script"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
