package plan

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/criu"
	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/sys"
)

// mounts parses lines of mountinfo without their constant parts: "ID PARENT DEVICE ROOT POINT TYPE".
func mounts(t testing.TB, lines string) []Mount {
	t.Helper()
	var text strings.Builder
	for line := range strings.FieldsFuncSeq(lines, func(c rune) bool { return c == '\n' }) {
		f := strings.Fields(line)
		text.WriteString(strings.Join(f[:5], " ") + " rw - " + f[5] + " none rw\n")
	}
	all, err := sys.ParseMounts(text.String())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const hostMounts = `
21 1 8:1 / / ext4
22 21 0:5 / /dev devtmpfs
23 21 0:20 / /proc proc
24 21 0:21 / /sys sysfs
25 24 0:22 / /sys/fs/cgroup cgroup2
26 21 8:2 / /srv ext4
27 26 0:40 / /srv/data/cache tmpfs
`

const containerMounts = `
100 90 8:1 /bundle/rootfs / ext4
101 100 0:50 / /proc proc
102 100 0:51 / /dev tmpfs
103 102 0:52 / /dev/pts devpts
104 102 0:53 / /dev/mqueue mqueue
105 100 0:21 / /sys sysfs
106 105 0:22 /web /sys/fs/cgroup cgroup2
107 100 8:2 /data /data ext4
108 107 0:40 / /data/cache tmpfs
109 100 8:1 /bundle/hosts /etc/hosts ext4
110 102 0:5 /null /dev/null devtmpfs
111 101 0:5 /null /proc/kcore devtmpfs
112 101 0:50 /sys /proc/sys proc
113 100 8:1 /bundle/rootfs/usr /usr ext4
114 107 8:2 /data/safe /data/safe ext4
115 100 8:1 /bundle/rootfs/usr /opt ext4
116 102 0:52 /0 /dev/console devpts
117 101 0:54 / /proc/acpi tmpfs
`

func container(t testing.TB) *Container {
	return &Container{PID: 4711, Rootfs: "/bundle/rootfs", Mounts: mounts(t, containerMounts),
		HostMounts: mounts(t, hostMounts), Cgroup: true, Freeze: "/sys/fs/cgroup/web",
		HasConfig: func(string) bool { return false }}
}

func TestCheckpoint(t *testing.T) {
	golden.Only(t, "testdata/checkpoint/*")
	for name, one := range map[string]struct {
		flags  Flags
		change func(*Container)
	}{
		"plain": {},
		"every-flag": {flags: Flags{ParentPath: "../before", PageServer: "192.0.2.1:27277", ManageCgroups: "ignore",
			NetworkLock: "nftables", EmptyNS: []string{"network"}, LeaveRunning: true, LazyPages: true, AutoDedup: true,
			TCPEstablished: true, TCPSkipInFlight: true, ExtUnixSk: true, ShellJob: true, FileLocks: true, LinkRemap: true}},
		"pre-dump": {flags: Flags{PreDump: true}},
		"streams": {change: func(c *Container) {
			c.Streams = []Stream{{Name: "pipe:[31]"}, {"/var/log/web", 26, 255}, {"/var/log/web", 26, 255}}
		}},
		"streams-inside": {change: func(c *Container) { c.Streams = []Stream{{"/data/log", 107, 255}, {Name: "/dev/null"}} }},
		"joined": {change: func(c *Container) {
			c.Joined = []Joined{{"network", 4026531840}, {"pid", 4026531836}, {"ipc", 4026531839}}
		}},
		"shared-groups": {change: func(c *Container) { c.Cgroup, c.Freeze = false, "" }},
		"config": {change: func(c *Container) {
			c.Annotations = config("/etc/criu/web.conf")
			c.HasConfig = func(string) bool { return true }
		}},
	} {
		c := container(t)
		if one.change != nil {
			one.change(c)
		}
		o, err := Checkpoint(&one.flags, c)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden.Compare(t, filepath.Join("testdata", "checkpoint", name+".txt"), o.String())
	}
}

func TestRestore(t *testing.T) {
	golden.Only(t, "testdata/restore/*")
	none := func(string) bool { return false }
	for name, one := range map[string]struct {
		flags  Flags
		bundle Bundle
	}{
		"plain": {bundle: Bundle{Root: "/run/handfast/web/criu-root", HasConfig: none,
			Cgroups: CgroupRoots("0::/web\n"), Streams: []string{"/dev/null", "pipe:[31]", "file[1a:ff]"},
			Binds:   []Bind{{"/data/", "/srv/data"}, {"/dev/null", "/srv/null"}},
			Devices: []string{"/dev/null", "/dev/zero"}}},
		"every-flag": {flags: Flags{ManageCgroups: "strict", NetworkLock: "skip", LSMProfile: "apparmor:web",
			LSMContext: "system_u:object_r:container_file_t:s0", LazyPages: true, AutoDedup: true, TCPEstablished: true,
			TCPClose: true, ExtUnixSk: true, ShellJob: true, FileLocks: true},
			bundle: Bundle{Root: "/r", HasConfig: func(file string) bool { return file == "/etc/criu/runc.conf" }}},
		"joined": {bundle: Bundle{Root: "/r", Annotations: config(""),
			HasConfig: func(string) bool { return true },
			Joins: []Join{{"network", "/run/netns/a", 4}, {"ipc", "/proc/7/ns/ipc", 0}, {"pid", "/proc/7/ns/pid", 5},
				{"uts", "/proc/7/ns/uts", 0}}}},
		"v1": {bundle: Bundle{Root: "/r", HasConfig: none,
			Cgroups: CgroupRoots("3:cpu,cpuacct:/web\n2:name=systemd:/a:b\n0::/\nnot a line\n")}},
	} {
		o, err := Restore(&one.flags, &one.bundle)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden.Compare(t, filepath.Join("testdata", "restore", name+".txt"), o.String())
	}
}

func config(file string) map[string]string { return map[string]string{ConfigAnnotation: file} }

func TestWrongFlags(t *testing.T) {
	for want, f := range map[string]Flags{
		`--empty-ns "user": want network`:                          {EmptyNS: []string{"network", "user"}},
		`--manage-cgroups-mode "hard": want soft, full, strict or`: {ManageCgroups: "hard"},
		`--network-lock "ebpf": want iptables, nftables or skip`:   {NetworkLock: "ebpf"},
		`--page-server "here": want ADDRESS:PORT`:                  {PageServer: "here"},
		`--page-server ":1": want`:                                 {PageServer: ":1"},
		`--page-server "a:": want`:                                 {PageServer: "a:"},
		`--page-server "a:0": want`:                                {PageServer: "a:0"},
		`--page-server "a:65536": want`:                            {PageServer: "a:65536"},
		`--page-server "::1:5": want`:                              {PageServer: "::1:5"},
		`--page-server "[::1:5": want`:                             {PageServer: "[::1:5"},
		`--parent-path /p: must be relative`:                       {ParentPath: "/p"},
	} {
		if err := f.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", f, err, want)
		}
	}
	f := Flags{PageServer: "[::1]:27277", ParentPath: "../p", ManageCgroups: "full", NetworkLock: "iptables"}
	if err := f.Check(); err != nil {
		t.Error(err)
	}
	if ps, err := pageServer(f.PageServer); err != nil || *ps != (criu.PageServer{Address: "::1", Port: 27277}) {
		t.Errorf("%+v, %v", ps, err)
	}
	for want, b := range map[string]Bundle{
		`annotations.org.criu.config: "my.conf": want an absolute path`:         {Annotations: config("my.conf")},
		"annotations.org.criu.config: /my.conf: no such file":                   {Annotations: config("/my.conf")},
		"descriptors.json: 4 names; want those of the 3 standard streams at mo": {Streams: make([]string, 4)},
	} {
		b.HasConfig = func(string) bool { return false }
		if _, err := Restore(&Flags{}, &b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", b, err, want)
		}
	}
	c := container(t)
	c.Annotations = config("/my.conf")
	if _, err := Checkpoint(&Flags{}, c); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a checkpoint with a file of options that is missing: %v", err)
	}
	joined := Bundle{Joins: []Join{{Kind: "cgroup", Path: "/x"}}, HasConfig: func(string) bool { return false }}
	if _, err := Restore(&Flags{}, &joined); err == nil || !strings.Contains(err.Error(), "cgroup namespace") {
		t.Errorf("a cgroup namespace to join: %v", err)
	}
}

func TestFeatures(t *testing.T) {
	for _, one := range []struct {
		flags Flags
		want  criu.Features
	}{
		{Flags{}, criu.Features{}},
		{Flags{PreDump: true}, criu.Features{MemTrack: true}},
		{Flags{ParentPath: "p"}, criu.Features{MemTrack: true}},
		{Flags{LazyPages: true}, criu.Features{LazyPages: true}},
	} {
		if got := one.flags.Features(); got != one.want {
			t.Errorf("%+v needs %+v, want %+v", one.flags, got, one.want)
		}
	}
}

func TestSubmounts(t *testing.T) {
	host := mounts(t, hostMounts)
	if diff := cmp.Diff([]Bind{{"/mnt/cache", "/srv/data/cache"}}, Submounts("/srv/data/", "/mnt", host)); diff != "" {
		t.Error(diff)
	}
	if got := Submounts("/srv/dat", "/mnt", host); len(got) != 0 {
		t.Errorf("below a prefix of a name: %v", got)
	}
	binds := []Bind{{"/data", "/srv/data"}, {"/data/cache", "/srv/cache"}}
	for p, want := range map[string]string{"/data/cache/x": "/srv/cache x true", "/data/y/": "/srv/data y true",
		"/proc/sys": "  false", "/data": "/srv/data  false", "/data/cache": "/srv/cache  false", "/database": "  false"} {
		source, rest, found := Part(p, binds)
		if got := fmt.Sprint(source, " ", rest, " ", found); got != want {
			t.Errorf("%s is %q, want %q", p, got, want)
		}
	}
}
