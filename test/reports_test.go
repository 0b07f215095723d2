package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// report is a public bug report as a container: a change to a valid configuration, and the expected result.
// test/reports.md has the sources.
type report struct {
	name   string
	script string // empty: the one that edit sets
	image  func(t *testing.T, root string)
	edit   func(t *testing.T, c map[string]any)
	want   string   // standard output
	words  []string // in the error; nil: no error
}

func user(id int) func(*testing.T, map[string]any) {
	return func(_ *testing.T, c map[string]any) { process(c)["user"] = map[string]any{"uid": id, "gid": id} }
}

func without(c map[string]any, kind string) {
	var left []any
	for _, n := range linux(c)["namespaces"].([]any) {
		if n.(map[string]any)["type"] != kind {
			left = append(left, n)
		}
	}
	linux(c)["namespaces"] = left
}

func addEnv(c map[string]any, env ...string) {
	for _, e := range env {
		process(c)["env"] = append(process(c)["env"].([]any), e)
	}
}

// dir creates a directory in the image, independent of the umask.
func dir(t *testing.T, path string, mode os.FileMode, owner int) {
	t.Helper()
	err := os.MkdirAll(path, 0o755)
	if err == nil {
		err = os.Chown(path, owner, owner)
	}
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func processReports() []report {
	return []report{
		{name: "working directory that only another user may enter", script: "pwd", want: "/priv\n",
			image: func(t *testing.T, root string) { dir(t, root+"/priv", 0o700, 65532) },
			edit:  func(t *testing.T, c map[string]any) { user(1000)(t, c); process(c)["cwd"] = "/priv" }},
		{name: "script that the user may not execute", words: []string{`exec: \"/bin/script\": permission denied`},
			image: func(t *testing.T, root string) {
				if err := os.WriteFile(root+"/bin/script", []byte("#!/bin/sh\n"), 0o754); err != nil {
					t.Fatal(err)
				}
			},
			edit: func(t *testing.T, c map[string]any) { user(1000)(t, c); testenv.SetArgs(c, "/bin/script") }},
		{name: "program behind a directory that the user may not search",
			words: []string{`exec: \"/closed/true\": permission denied`},
			image: func(t *testing.T, root string) {
				dir(t, root+"/closed", 0o700, 0)
				symlink(t, "/bin/busybox", root+"/closed/true")
			},
			edit: func(t *testing.T, c map[string]any) { user(1000)(t, c); testenv.SetArgs(c, "/closed/true") }},
		{name: "HOME of a user without a line in passwd", script: "echo $HOME", want: "/\n", edit: user(4242)},
		{name: "one variable of 128 KiB", script: "true", words: []string{"exec /bin/sh: argument list too long"},
			edit: func(_ *testing.T, c map[string]any) { addEnv(c, "X="+strings.Repeat("x", 1<<17)) }},
		{name: "environment of 2.5 MB", script: "true", words: []string{"exec /bin/sh: argument list too long"},
			edit: func(_ *testing.T, c map[string]any) {
				for i := range 25 {
					addEnv(c, "X"+strconv.Itoa(i)+"="+strings.Repeat("x", 100000))
				}
			}},
		{name: "NUL in a mount option", script: "true", words: []string{"mounts[6].options[0]: the string holds a NUL " +
			"character"},
			edit: func(_ *testing.T, c map[string]any) { addMount(c, "/mnt", "tmpfs", "tmpfs", "mode=755\x00x") }},
		{name: "host name without a uts namespace", script: "true", words: []string{"hostname: ", "needs a uts namespace"},
			edit: func(_ *testing.T, c map[string]any) { without(c, "uts") }},
		{name: "network parameter without a network namespace", script: "true",
			words: []string{"linux.sysctl: ", "net.ipv4.ip_forward", "needs a namespace of type network"},
			edit: func(_ *testing.T, c map[string]any) {
				without(c, "network")
				linux(c)["sysctl"] = map[string]any{"net.ipv4.ip_forward": "1"}
			}},
	}
}

func mountReports() []report {
	inUser := func(_ *testing.T, c map[string]any) { testenv.MapIDs(c, hostIDs, 65536) }
	return []report{
		{name: "read-only /dev with mounts in it", script: "ls -d /dev/pts/ptmx /dev/shm; touch /dev/x 2>&1; true",
			want: "/dev/pts/ptmx\n/dev/shm\ntouch: /dev/x: Read-only file system\n",
			edit: func(_ *testing.T, c map[string]any) {
				m := c["mounts"].([]any)[1].(map[string]any)
				m["options"] = append(m["options"].([]any), "ro")
			}},
		{name: "mode of a tmpfs", script: "stat -c %a /kept /given /new", want: "1770\n444\n1777\n",
			image: func(t *testing.T, root string) {
				dir(t, root+"/kept", 0o770|os.ModeSticky, 0)
				dir(t, root+"/given", 0o755, 0)
			},
			edit: func(_ *testing.T, c map[string]any) {
				addMount(c, "/kept", "tmpfs", "tmpfs")
				addMount(c, "/given", "tmpfs", "tmpfs", "mode=0444")
				addMount(c, "/new", "tmpfs", "tmpfs", "exec")
			}},
		{name: "mode of a tmpfs in a tmpfs", script: "stat -c %a /a/b", want: "1777\n",
			edit: func(_ *testing.T, c map[string]any) {
				addMount(c, "/a", "tmpfs", "tmpfs", "mode=755")
				addMount(c, "/a/b", "tmpfs", "tmpfs", "mode=1777")
			}},
		{name: "read-only tmpfs over a directory", script: "touch /tmp/x 2>&1; stat -c %a /tmp",
			want: "touch: /tmp/x: Read-only file system\n1777\n",
			edit: func(_ *testing.T, c map[string]any) { addMount(c, "/tmp", "tmpfs", "tmpfs", "ro") }},
		{name: "root of the host bound", script: "ls -d /host/proc/self", want: "/host/proc/self\n",
			edit: func(_ *testing.T, c map[string]any) { addMount(c, "/host", "bind", "/", "rbind", "ro", "rslave") }},
		{name: "read-only paths in a user namespace", script: "grep -c '^[^ ]* /proc/sys .*ro,' /proc/mounts", want: "1\n",
			edit: inUser},
		{name: "user namespace without a network namespace", script: "grep -c ' /sys sysfs ro,' /proc/mounts", want: "1\n",
			edit: func(t *testing.T, c map[string]any) { inUser(t, c); without(c, "network") }},
		{name: "parameter of a user namespace", script: "cat /proc/sys/user/max_mnt_namespaces", want: "7\n",
			edit: func(t *testing.T, c map[string]any) {
				inUser(t, c)
				linux(c)["sysctl"] = map[string]any{"user.max_mnt_namespaces": "7"}
			}},
		{name: "read-only cgroup mount in a user namespace", script: "mkdir /sys/fs/cgroup/x 2>&1; true",
			want: "mkdir: can't create directory '/sys/fs/cgroup/x': Read-only file system\n",
			edit: func(t *testing.T, c map[string]any) {
				inUser(t, c)
				addMount(c, "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "ro")
			}},
		{name: "id 0 not mapped", script: "true", words: []string{"linux.uidMappings: container id 0 is not mapped"},
			edit: func(t *testing.T, c map[string]any) {
				inUser(t, c)
				linux(c)["uidMappings"] = []any{map[string]any{"containerID": 1000, "hostID": hostIDs, "size": 1}}
			}},
	}
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// TestReports tests reports of other runtimes' users that need only one container.
func TestReports(t *testing.T) {
	r := newRuntime(t)
	for _, c := range append(processReports(), mountReports()...) {
		bundle := shell(t, c.script, func(config map[string]any) {
			if c.edit != nil {
				c.edit(t, config)
			}
		})
		if c.image != nil {
			c.image(t, rootOf(t, bundle))
		}
		o := r.do("run", "-b", bundle, testenv.ID(t))
		if c.words != nil {
			before := t.Failed()
			if r.oneLine(o, c.words); t.Failed() && !before {
				t.Errorf("that was: %s", c.name)
			}
			continue
		}
		if o.status != 0 || o.stdout != c.want || o.stderr != "" {
			t.Errorf("%s: %+v, want %q", c.name, o, c.want)
		}
	}
}

// TestReportsOfRunningContainers tests reports that need several commands.
func TestReportsOfRunningContainers(t *testing.T) {
	r := newRuntime(t)
	// exec as root without capabilities, in the directory of the container's own user
	bundle := shell(t, "exec sleep 1000", func(c map[string]any) { user(65532)(t, c); process(c)["cwd"] = "/priv" })
	dir(t, filepath.Join(rootOf(t, bundle), "priv"), 0o700, 65532)
	id := testenv.ID(t)
	r.ok("run", "--detach", "-b", bundle, id)
	if got := r.inside(id, "pwd; id -u", "--user", "0:0"); got != "/priv\n0\n" {
		t.Errorf("exec in a directory of another user: %q", got)
	}
	r.ok("delete", "--force", id)
	// exec right after start, with a process of its own
	mapped := shell(t, "exec sleep 1000", func(c map[string]any) { testenv.MapIDs(c, hostIDs, 65536) })
	r.ok("create", "-b", mapped, id)
	r.ok("start", id)
	for range 5 {
		r.ok("exec", id, "/bin/true")
	}
	file := filepath.Join(testenv.Dir(t), "process.json")
	const other = `{"args": ["/bin/sh", "-c", "id; echo $HOME"], "cwd": "/", "env": ["PATH=/bin:/usr/bin"],
		"user": {"uid": 65534, "gid": 8, "additionalGids": [9, 10]}}`
	if err := os.WriteFile(file, []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	if o := r.do("exec", "--process", file, id); o.stdout != "uid=65534(nobody) gid=8 groups=9,10\n/\n" {
		t.Errorf("exec of a process of its own: %+v", o)
	}
	r.ok("delete", "--force", id)
	// A umask of the caller that removes all rights of others does not prevent the program's user from executing it.
	r.wrap = func(cmd *exec.Cmd) *exec.Cmd {
		return exec.Command("/bin/sh", append([]string{"-c", `umask 007; exec "$@"`, "sh"}, cmd.Args...)...)
	}
	plain := shell(t, "exec sleep 1000", func(c map[string]any) { user(1000)(t, c) })
	r.ok("create", "-b", plain, id)
	r.ok("start", id)
	r.wrap = nil
	r.awaitStatus(id, "running")
	r.ok("delete", "--force", id)
	// A network namespace that belongs to another user namespace: sysfs cannot show it, so it is bound from the host.
	holder := exec.Command("sleep", "1000")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	start(t, holder)
	o := r.do("run", "-b", shell(t, "grep -c ' /sys sysfs ro,' /proc/mounts", func(c map[string]any) {
		testenv.MapIDs(c, hostIDs, 65536)
		setNamespace(c, "network", "/proc/"+strconv.Itoa(holder.Process.Pid)+"/ns/net")
	}), testenv.ID(t))
	if o != (outcome{stdout: "1\n"}) {
		t.Errorf("a network namespace that another user namespace owns: %+v", o)
	}
}

// TestReportsOfStrangeHosts tests how unusual mounts of the caller affect a container.
func TestReportsOfStrangeHosts(t *testing.T) {
	r := newRuntime(t)
	inUser := shell(t, "echo on", func(c map[string]any) { testenv.MapIDs(c, hostIDs, 65536) })
	plain := shell(t, "echo on", nil)
	before := func(script string) {
		r.wrap = func(cmd *exec.Cmd) *exec.Cmd {
			return exec.Command("unshare", append([]string{"--mount", "/bin/sh", "-c", script + ` && exec "$@"`, "sh"},
				cmd.Args...)...)
		}
	}
	before("mount -o remount,bind,ro /proc")
	if o := r.do("run", "-b", plain, testenv.ID(t)); o != (outcome{stdout: "on\n"}) {
		t.Errorf("a read-only /proc: %+v", o)
	}
	r.fails([]string{"uid_map of the new user namespace", "read-only file system"}, "run", "-b", inUser, testenv.ID(t))
	before("mount -t tmpfs x /proc/fs")
	r.fails([]string{"mount /proc: ", "operation not permitted"}, "run", "-b", inUser, testenv.ID(t))
	r.wrap = nil
	// a path with a hyphen, and a root beside it through a link
	dash := filepath.Join(testenv.Dir(t), "a-0", "C")
	if err := os.MkdirAll(dash, 0o755); err != nil {
		t.Fatal(err)
	}
	symlink(t, rootOf(t, inUser), filepath.Join(dash, "rootfs"))
	data, err := os.ReadFile(filepath.Join(inUser, "config.json"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dash, "config.json"), data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	edit(t, dash, func(c map[string]any) { c["root"] = map[string]any{"path": "rootfs"} })
	if o := r.do("run", "-b", dash, testenv.ID(t)); o != (outcome{stdout: "on\n"}) {
		t.Errorf("a relative root by a link: %+v", o)
	}
}
