package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// TestRemount (MT03): a remount changes the attributes of an earlier mount, and the options of a file system of the
// container's own, in the order of mounts. A mount becomes read-only last, after everything in it is created.
func TestRemount(t *testing.T) {
	r := newRuntime(t)
	source := testenv.Dir(t)
	if err := os.WriteFile(filepath.Join(source, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	const show = `for m in / /one /two /three /dev; do grep " $m " /proc/self/mountinfo | cut -d " " -f 5,6,10; done
		touch /one/x; ls /one; touch /two/x; touch /three/x; ls /dev/null`
	for name, user := range map[string]bool{"without": false, "with": true} {
		bundle := shell(t, show, func(c map[string]any) {
			addMount(c, "/one", "tmpfs", "tmpfs", "size=1m", "mode=777")
			addMount(c, "/two", "bind", source, "bind")
			addMount(c, "/three", "tmpfs", "tmpfs", "ro", "size=1m", "mode=777")
			addMount(c, "/one", "none", "", "remount", "size=2m", "ro", "noexec")
			addMount(c, "/one/below", "tmpfs", "tmpfs", "size=1m") // possible because ro is set last
			addMount(c, "/two", "", "", "bind", "remount", "ro", "nosuid")
			addMount(c, "/three", "", "", "remount", "rw")
			addMount(c, "/dev", "", "", "remount", "ro", "nosuid", "strictatime")
			addMount(c, "/", "", "", "bind", "remount", "nosuid")
			if user {
				testenv.MapIDs(c, hostIDs, 65536)
			}
		})
		for _, dir := range []string{"one", "two", "three"} { // root of a user namespace may not create any
			if err := os.Mkdir(filepath.Join(rootOf(t, bundle), dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		o := r.do("run", "-b", bundle, testenv.ID(t))
		for _, want := range []string{"/ rw,nosuid", "/one ro,noexec,relatime ", "size=2048k", "/two ro,nosuid",
			"/three rw,relatime", "/dev ro,nosuid", "below\n", "/dev/null\n"} {
			if !strings.Contains(o.stdout, want) {
				t.Errorf("%s a user namespace: no %q in\n%s", name, want, o.stdout)
			}
		}
		if n := strings.Count(o.stderr, "Read-only file system"); n != 2 || strings.Contains(o.stderr, "/three") {
			t.Errorf("%s a user namespace: %s", name, o.stderr)
		}
	}
	if data, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(data), source) {
		t.Errorf("the host has a mount of it: %v", err)
	}
	refused := func(words []string, destination string, options ...string) {
		t.Helper()
		r.fails(words, "run", "-b", shell(t, "true", func(c map[string]any) {
			addMount(c, "/one", "tmpfs", "tmpfs")
			addMount(c, destination, "", "", options...)
		}), testenv.ID(t))
	}
	refused([]string{"mount /etc: remount /etc: nothing is mounted there: invalid argument"}, "/etc", "remount", "ro")
	refused([]string{"/nothing", "no such file or directory"}, "/nothing", "remount", "ro")
	refused([]string{`mount /one: option \"size=much\" of /one: invalid argument`}, "/one", "remount", "size=much")
	refused([]string{"mounts[7].options", `\"size=1m\"`, "none of the container's own at /sys2"}, "/sys2",
		"remount", "size=1m")
}

// TestRemountOfSomebodyElses: a link in the image redirects the destination of a tmpfs to a bind of the host's, whose
// options must not change.
func TestRemountOfSomebodyElses(t *testing.T) {
	r := newRuntime(t)
	host := testenv.Dir(t)
	if err := unix.Mount("tmpfs", host, "tmpfs", 0, "size=4m"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(host, unix.MNT_DETACH) }()
	bundle := shell(t, "true", func(c map[string]any) {
		addMount(c, "/one", "tmpfs", "tmpfs", "size=1m")
		addMount(c, "/data", "bind", host, "bind")
		addMount(c, "/one", "", "", "remount", "size=2m")
	})
	for _, err := range []error{
		os.Mkdir(filepath.Join(rootOf(t, bundle), "data"), 0o755),
		os.Symlink("data", filepath.Join(rootOf(t, bundle), "one")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	words := []string{"mount /one: remount /one", "none of the container's own", "operation not permitted"}
	r.fails(words, "run", "-b", bundle, testenv.ID(t))
	var st unix.Statfs_t
	if err := unix.Statfs(host, &st); err != nil || st.Blocks*uint64(st.Bsize) != 4<<20 {
		t.Errorf("the host's has %d bytes now, %v", st.Blocks*uint64(st.Bsize), err)
	}
}

// TestMountLabel (MT20): on a host without SELinux a mount label is an error, like the label of a process. The label is
// passed to the kernel as an option of every new file system, except those that SELinux labels by its own rules: such a
// kernel does not know the option.
func TestMountLabel(t *testing.T) {
	r := newRuntime(t)
	const label = "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811"
	if selinux() {
		bundle := shell(t, "ls -Zd /labelled", func(c map[string]any) {
			addMount(c, "/labelled", "tmpfs", "tmpfs")
			linux(c)["mountLabel"] = label
		})
		if o := r.do("run", "-b", bundle, testenv.ID(t)); !strings.Contains(o.stdout, label) || o.status != 0 {
			t.Errorf("%+v", o)
		}
		return
	}
	r.fails([]string{"config.json: linux.mountLabel", label, "SELinux is not in force"}, "run", "-b",
		shell(t, "true", func(c map[string]any) { linux(c)["mountLabel"] = label }), testenv.ID(t))
	for kind, place := range map[string]string{"proc": "/proc", "tmpfs": "/mnt"} {
		root := testenv.Busybox(t)
		_, err := spawn.Start(t.Context(), spawn.Config{
			Namespaces: []spawn.Namespace{{Kind: container.NSMount}, {Kind: container.NSPid}},
			Init:       []string{testenv.Binary(t), "init"},
			Container: spawn.Container{
				ID: "labelled", Root: container.Root{Path: root}, MountLabel: label,
				Mounts:  []container.Mount{{Destination: place, Type: kind}},
				Process: container.Process{Args: []string{"/bin/nothing"}, Cwd: "/"},
			},
		})
		want := "/bin/nothing"
		if kind == "tmpfs" {
			want = `option "context=` + label + `" of tmpfs: invalid argument`
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", kind, err, want)
		}
	}
}

func selinux() bool {
	_, err := os.Stat("/sys/fs/selinux/enforce")
	return err == nil
}
