package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/internal/testenv"
)

// hostIDs are unprivileged ids that no user of the host has.
const hostIDs = 300000

// TestUserNamespace runs a container whose root has no rights on the host.
func TestUserNamespace(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, "id -u; cat /proc/self/uid_map; touch /tmp/made; grep CapEff /proc/self/status; exec sleep 1000",
		func(c map[string]any) {
			testenv.MapIDs(c, hostIDs, 65536)
		})
	out, err := os.Create(filepath.Join(testenv.Dir(t), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := r.command("run", "--detach", "-b", bundle, id)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		data, _ := os.ReadFile(out.Name())
		t.Fatalf("%v: %s", err, data)
	}
	pid := int(r.stateOf(id)["pid"].(float64))
	var st syscall.Stat_t
	if err := syscall.Stat("/proc/"+strconv.Itoa(pid), &st); err != nil || st.Uid != hostIDs {
		t.Errorf("the process belongs to host user %d, want %d (%v)", st.Uid, hostIDs, err)
	}
	made := filepath.Join(rootOf(t, bundle), "tmp/made")
	eventually(t, "a file of the container", func() bool { return syscall.Stat(made, &st) == nil })
	if st.Uid != hostIDs {
		t.Errorf("its file belongs to host user %d, want %d", st.Uid, hostIDs)
	}
	eventually(t, "its output", func() bool {
		data, _ := os.ReadFile(out.Name())
		return strings.Contains(string(data),
			"CapEff")
	})
	data, _ := os.ReadFile(out.Name())
	lines := strings.Split(string(data), "\n")
	if lines[0] != "0" || strings.Join(strings.Fields(lines[1]), " ") != "0 300000 65536" {
		t.Errorf("inside: %q", data)
	}
	r.ok("delete", "--force", id)
}

// TestKeepGroups: with the annotation a container's processes keep the caller's supplementary groups, also those of
// exec, as the container's root or a user of it, and in a user namespace, where the groups are not mapped and give the
// same access to files as on the host.
func TestKeepGroups(t *testing.T) {
	const group = hostIDs - 77 // not one of the mapped ids
	secret := filepath.Join(testenv.Dir(t), "secret")
	if err := os.WriteFile(secret, []byte("for the group\n"), 0o040); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(secret, hostIDs+1, group); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		value      string // of the annotation
		users      bool   // in a user namespace of its own
		additional []any
		want       string
	}{
		{"without", "", true, nil, ""},
		{"zero", "0", false, []any{5}, "5"},
		{"kept", "1", false, nil, "299923"},
		{"kept in a user namespace", "1", true, nil, "65534"},
		{"in place of additionalGids", "1", false, []any{5}, "299923"},
	} {
		for _, trace := range []bool{false, true} { // a trace makes the child a whole one
			r, id := newRuntime(t), testenv.ID(t)
			r.wrap = func(cmd *exec.Cmd) *exec.Cmd {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{group}}}
				return cmd
			}
			global := []string{}
			if trace {
				global = append(global, "--trace", filepath.Join(testenv.Dir(t), "trace"))
			}
			const show = "sed -n 's/^Groups:[[:space:]]*//p' /proc/self/status | tr -d ' '; " +
				"cat /secret 2>/dev/null || echo refused"
			bundle := shell(t, "exec sleep 1000", func(config map[string]any) {
				user := map[string]any{"uid": 7, "gid": 8}
				if c.additional != nil {
					user["additionalGids"] = c.additional
				}
				process(config)["user"] = user
				delete(process(config), "capabilities")
				addMount(config, "/secret", "bind", secret, "bind")
				if c.value != "" {
					config["annotations"] = map[string]any{"run.oci.keep_original_groups": c.value}
				}
				if c.users {
					testenv.MapIDs(config, hostIDs, 65536)
				}
			})
			if err := os.WriteFile(filepath.Join(rootOf(t, bundle), "secret"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			want, warnings := c.want+"\nrefused\n", 0
			if c.value == "1" {
				want = c.want + "\nfor the group\n"
				warnings = len(c.additional)
			}
			check := func(o outcome) {
				t.Helper()
				if o.status != 0 || o.stdout != want || strings.Count(o.stderr, "\n") != warnings ||
					warnings > 0 && !strings.Contains(o.stderr, "process.user.additionalGids: without effect") {
					t.Errorf("%s, trace %v: %+v, want %q and %d warnings", c.name, trace, o, want, warnings)
				}
			}
			edit(t, bundle, func(config map[string]any) { testenv.SetArgs(config, "/bin/sh", "-c", show) })
			check(r.do(append(global, "run", "-b", bundle, id)...))
			edit(t, bundle, func(config map[string]any) { testenv.SetArgs(config, "/bin/sleep", "1000") })
			if o := r.do(append(global, "run", "--detach", "-b", bundle, id)...); o.status != 0 {
				t.Fatalf("%s: %+v", c.name, o)
			}
			check(r.do(append(global, "exec", id, "/bin/sh", "-c", show)...))
			r.ok("delete", "--force", id)
		}
	}
}

// TestPtmxAmongDevices: managers list /dev/ptmx in linux.devices, as c 5:2. With and without a user namespace it is the
// link to the container's own devpts.
func TestPtmxAmongDevices(t *testing.T) {
	for _, users := range []bool{false, true} {
		r := newRuntime(t)
		bundle := shell(t, "readlink /dev/ptmx; stat -L -c %t:%T /dev/ptmx; stat -c %t:%T /dev/null; exec 3<>/dev/ptmx && "+
			"ls /dev/pts", func(c map[string]any) {
			linux(c)["devices"] = []any{map[string]any{"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2,
				"fileMode": 0o666, "uid": 0, "gid": 0}}
			if users {
				testenv.MapIDs(c, hostIDs, 65536)
			}
		})
		if o := r.do("run", "-b", bundle, testenv.ID(t)); o.status != 0 || o.stdout != "pts/ptmx\n5:2\n1:3\n0\nptmx\n" {
			t.Errorf("user namespace %v: status %d: %q %s", users, o.status, o.stdout, o.stderr)
		}
	}
}

// TestUserNamespaceReachesItsSources: the parent opens sources in a directory that the container's root may not search,
// and passes them to the child.
func TestUserNamespaceReachesItsSources(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	closed := filepath.Join(testenv.Dir(t), "closed")
	for _, dir := range []string{closed, filepath.Join(closed, "open")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(closed, "open/file"), []byte("reached\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(testenv.Dir(t), "trace")
	bundle := shell(t, "cat /dir/file /one; ls /dir; test -c /dev/null && echo x >/dev/null && echo null",
		func(c map[string]any) {
			testenv.MapIDs(c, hostIDs, 65536)
			addMount(c, "/dir", "bind", filepath.Join(closed, "open"), "bind", "ro")
			addMount(c, "/one", "bind", filepath.Join(closed, "open/file"), "bind")
		})
	// The image belongs to root of the host, so the destinations must exist.
	if err := os.Mkdir(filepath.Join(rootOf(t, bundle), "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(rootOf(t, bundle), "one"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if o := r.do("run", "--trace", trace, "-b", bundle, id); o != (outcome{"reached\nreached\nfile\nnull\n", "", 0}) {
		t.Errorf("%+v", o)
	}
	if o := r.do("trace", trace); !strings.Contains(o.stdout, "REQUEST mount") {
		t.Errorf("the child asked for no source: %s", o.stdout)
	}
}

// plainUserBundle makes a bundle that belongs to a user without any privilege, with the configuration that spec
// --rootless writes. asUser is a command of handfast as that user, in the bundle.
func plainUserBundle(t *testing.T) (dir string, asUser func(args ...string) *exec.Cmd) {
	testenv.Root(t)
	if data, err := os.ReadFile("/proc/sys/kernel/unprivileged_userns_clone"); err == nil &&
		strings.TrimSpace(string(data)) == "0" {
		t.Skip("plain users may not make user namespaces here: kernel.unprivileged_userns_clone is 0")
	}
	binary := testenv.Binary(t)
	dir = testenv.Dir(t)
	if err := os.Rename(testenv.Busybox(t), filepath.Join(dir, "rootfs")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "run")} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, hostIDs, hostIDs); err != nil {
			t.Fatal(err)
		}
	}
	asUser = func(args ...string) *exec.Cmd {
		cmd := exec.Command(binary, args...)
		cmd.Dir = dir
		cmd.Env = []string{"XDG_RUNTIME_DIR=" + filepath.Join(dir, "run")}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: hostIDs, Gid: hostIDs}}
		return cmd
	}
	if o := finish(t, asUser("spec", "--rootless")); o != (outcome{}) {
		t.Fatalf("spec: %+v", o)
	}
	return dir, asUser
}

// TestPlainUser runs a container as a user without any privilege, from the configuration that spec --rootless writes.
func TestPlainUser(t *testing.T) {
	dir, asUser := plainUserBundle(t)
	edit(t, dir, func(c map[string]any) {
		process(c)["terminal"] = false
		testenv.SetArgs(c, "sh", "-c", "id -u; echo $$; hostname; mount -t tmpfs x /tmp 2>&1; exit 9")
	})
	id := testenv.ID(t)
	o := finish(t, asUser("run", id))
	if o.status != 9 || o.stderr != "" || !strings.HasPrefix(o.stdout, "0\n1\nhandfast\n") {
		t.Errorf("%+v", o)
	}
	if smallchild.Available {
		contains(t, finish(t, asUser("--debug", "run", id)).stderr, ": child small")
	}
	// The container's own groups cover, read-only, those of the host below the bound /sys.
	edit(t, dir, func(c map[string]any) {
		testenv.SetArgs(c, "sh", "-c",
			`sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \(\/sys[^ ]*\) \([^, ]*\).*/\1 \2/p' /proc/self/mountinfo`)
	})
	modes := map[string]string{}
	for line := range strings.Lines(finish(t, asUser("run", id)).stdout) {
		if point, mode, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			modes[point] = mode // the last mount covers the others
		}
	}
	if modes["/sys/fs/cgroup"] != "ro" {
		t.Errorf("/sys/fs/cgroup is not read-only: %v", modes)
	}
	// A time namespace, which only root of the user namespace may create: the first process is in it, and still has pid
	// 1.
	edit(t, dir, func(c map[string]any) {
		testenv.SetArgs(c, "sh", "-c", "cat /proc/self/timens_offsets; readlink /proc/self/ns/time; echo $$; id -u")
		linux(c)["namespaces"] = append(linux(c)["namespaces"].([]any), map[string]any{"type": "time"})
		linux(c)["timeOffsets"] = map[string]any{"boottime": map[string]any{"secs": 100000}}
	})
	ours, err := os.Readlink("/proc/self/ns/time")
	if err != nil {
		t.Fatal(err)
	}
	o = finish(t, asUser("run", id))
	fields := strings.Fields(o.stdout)
	if o.status != 0 || o.stderr != "" || len(fields) != 9 || strings.Join(fields[:6],
		" ") != "monotonic 0 0 boottime 100000 0" ||
		fields[6] == ours || fields[7] != "1" || fields[8] != "0" {
		t.Errorf("a time namespace: %+v", o)
	}
	edit(t, dir, func(c map[string]any) { testenv.SetArgs(c, "sleep", "1000") })
	for _, args := range [][]string{{"create", id}, {"start", id}, {"kill", id, "KILL"}} {
		if o := finish(t, asUser(args...)); o != (outcome{}) {
			t.Errorf("%v: %+v", args, o)
		}
	}
	eventually(t, "stopped", func() bool { return strings.Contains(finish(t, asUser("state", id)).stdout, `"stopped"`) })
	if o := finish(t, asUser("delete", id)); o != (outcome{}) {
		t.Errorf("delete: %+v", o)
	}
	// Without a pid namespace of its own, nothing holds its processes together, and that is a warning.
	var before []any
	edit(t, dir, func(c map[string]any) {
		before = linux(c)["namespaces"].([]any)
		removeNamespace(c, "pid")
		c["mounts"] = slices.DeleteFunc(c["mounts"].([]any), func(m any) bool { return m.(map[string]any)["type"] == "proc" })
		testenv.SetArgs(c, "true")
	})
	if o := finish(t, asUser("run", id)); o.status != 0 || strings.Count(o.stderr, "level=warning") != 1 ||
		!strings.Contains(o.stderr, "Such configuration is strongly discouraged") {
		t.Errorf("no group and no pid namespace: %+v", o)
	}
	edit(t, dir, func(c map[string]any) { linux(c)["namespaces"] = before })
	// A group in the configuration is an error, and not silently ignored.
	edit(t, dir, func(c map[string]any) { linux(c)["cgroupsPath"] = "/named/here" })
	const refused = "linux.cgroupsPath: unable to apply cgroup configuration: the group /named/here may not be made"
	if o := finish(t, asUser("run", id)); o.status != 1 || !strings.Contains(o.stderr, refused) {
		t.Errorf("a group that a plain user may not make: %+v", o)
	}
	if err := os.Chmod(filepath.Join(dir, "config.json"), 0); err != nil {
		t.Fatal(err)
	}
	if o := finish(t, asUser("run", id)); o.status != 1 || !strings.Contains(o.stderr, "config.json: permission denied") {
		t.Errorf("an unreadable configuration: %+v", o)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "run/handfast")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestUserNamespaceDevices: in a user namespace the host's node is bound. If the host does not have it, or has it as
// another device, it is created for the container, with the configured owner and mode.
func TestUserNamespaceDevices(t *testing.T) {
	r := newRuntime(t)
	bundle := shell(t, "ls -ln /dev/handfast-zero /dev/tty7; head -c 3 /dev/handfast-zero | wc -c",
		func(c map[string]any) {
			testenv.MapIDs(c, hostIDs, 65536)
			linux(c)["devices"] = []any{
				map[string]any{"path": "/dev/handfast-zero", "type": "c", "major": 1, "minor": 5, "fileMode": 0o604, "uid": 3,
					"gid": 4},
				map[string]any{"path": "/dev/tty7", "type": "c", "major": 1, "minor": 7},
			}
		})
	o := r.do("run", "-b", bundle, testenv.ID(t))
	lines := strings.Split(o.stdout, "\n")
	if o.status != 0 || o.stderr != "" || len(lines) < 3 {
		t.Fatalf("%+v", o)
	}
	for i, want := range []string{"crw----r-- 1 3 4 1, 5", "crw-rw-rw- 1 0 0 1, 7", "3"} {
		if got := strings.Join(strings.Fields(lines[i]), " "); !strings.HasPrefix(got, want) {
			t.Errorf("line %d is %q, want %q", i, got, want)
		}
	}
	if _, err := os.Lstat("/dev/handfast-zero"); err == nil {
		t.Error("the node was made on the host")
	}
}

// TestCapabilitiesThatTheCallerLacks: they are left out of every set, including the inheritable one, where other
// runtimes fail with an EPERM of capset(2).
func TestCapabilitiesThatTheCallerLacks(t *testing.T) {
	r := newRuntime(t)
	setpriv := testenv.Tool(t, "setpriv", "util-linux")
	r.wrap = func(cmd *exec.Cmd) *exec.Cmd {
		return exec.Command(setpriv, append([]string{"--inh-caps=-all", "--bounding-set=-sys_time"}, cmd.Args...)...)
	}
	for _, uid := range []int{0, 1000} {
		bundle := shell(t, "grep -E 'Cap(Inh|Bnd)' /proc/self/status", func(c map[string]any) {
			process(c)["user"] = map[string]any{"uid": uid, "gid": uid}
			process(c)["capabilities"] = map[string]any{
				"bounding": []any{"CAP_KILL", "CAP_SYS_TIME"}, "inheritable": []any{"CAP_KILL", "CAP_SYS_TIME", "CAP_CHOWN"},
			}
		})
		o := r.do("run", "-b", bundle, testenv.ID(t))
		if want := "CapInh:\t0000000000000020\nCapBnd:\t0000000000000020\n"; o.status != 0 || o.stdout != want {
			t.Errorf("as user %d: %+v, want %q", uid, o, want)
		}
	}
}
