package oci

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

func TestMountOptions(t *testing.T) {
	const at = unix.MOUNT_ATTR__ATIME
	for _, c := range []struct {
		options string
		want    container.Mount
	}{
		{"ro nosuid nodev noexec", container.Mount{Set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID |
			unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC, FSFlags: []string{"ro"}}},
		{"ro rw", container.Mount{Clear: unix.MOUNT_ATTR_RDONLY}},
		{"defaults loud async symfollow", container.Mount{Clear: unix.MOUNT_ATTR_NOSYMFOLLOW}},
		{"noatime nodiratime", container.Mount{Set: unix.MOUNT_ATTR_NOATIME | unix.MOUNT_ATTR_NODIRATIME, Clear: at}},
		{"noatime strictatime", container.Mount{Set: unix.MOUNT_ATTR_STRICTATIME, Clear: at}},
		{"strictatime relatime", container.Mount{Clear: at}},
		{"sync dirsync lazytime iversion mand silent", container.Mount{FSFlags: []string{"sync", "dirsync", "lazytime",
			"iversion", "mand", "silent"}}},
		{"sync async", container.Mount{FSFlags: []string{}}},
		{"rro rnosuid rnoatime", container.Mount{RecSet: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID |
			unix.MOUNT_ATTR_NOATIME, RecClear: at}},
		{"rrw", container.Mount{RecClear: unix.MOUNT_ATTR_RDONLY}},
		{"rslave size=1 mode=755", container.Mount{Propagation: unix.MS_SLAVE | unix.MS_REC,
			Data: []string{"size=1", "mode=755"}}},
		{"unbindable", container.Mount{Propagation: unix.MS_UNBINDABLE}},
		{"rslave rshared", container.Mount{Propagation: unix.MS_SLAVE | unix.MS_SHARED | unix.MS_REC}},
		{"slave shared private rslave", container.Mount{Propagation: unix.MS_SLAVE | unix.MS_REC}},
		{"relative", container.Mount{Data: []string{"relative"}}},
	} {
		s := spec(t)
		s.Mounts = []Mount{{Destination: "/a", Type: "ext4", Source: "/dev/x", Options: strings.Fields(c.options)}}
		out, err := Plan(s, Options{Bundle: "/b", ID: "x"})
		if err != nil {
			t.Fatal(err)
		}
		c.want.Destination, c.want.Type, c.want.Source = "/a", "ext4", "/dev/x"
		if diff := cmp.Diff(c.want, out.Spawn.Container.Mounts[0]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.options, diff)
		}
	}
}

// TestCopiedLink checks that a source that is a link becomes a link, that any other is bound, and that what makes no
// link is an error.
func TestCopiedLink(t *testing.T) {
	links := Host{Links: map[string]string{"/b/link": "../there", "/abs": "/else"}}
	for _, c := range []struct {
		source string
		want   container.Mount
	}{
		{"link", container.Mount{Destination: "/a", Link: "../there"}},
		{"/abs", container.Mount{Destination: "/a", Link: "/else"}},
		{"/file", container.Mount{Destination: "/a", Source: "/file", Bind: true, Recursive: true,
			Set: unix.MOUNT_ATTR_RDONLY}},
	} {
		s := spec(t)
		s.Mounts = []Mount{{Destination: "/a", Source: c.source, Options: []string{"rbind", "ro", "copy-symlink"}}}
		out, err := Plan(s, Options{Bundle: "/b", ID: "x", Host: links})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, out.Spawn.Container.Mounts[0]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.source, diff)
		}
		source, copies := s.Mounts[0].CopiedLink("/b")
		if !copies || source != "/file" && links.Links[source] != c.want.Link {
			t.Errorf("%s: %q, %t", c.source, source, copies)
		}
	}
	for options, want := range map[string]string{
		`"copy-symlink"`:                    "mounts[0].options: copy-symlink is for a bind mount",
		`"remount", "copy-symlink"`:         "mounts[0].options: copy-symlink is for a bind mount",
		`"bind", "remount", "copy-symlink"`: "mounts[0].options: copy-symlink is for a bind mount",
	} {
		s := spec(t, mountWith(options, `"type": "tmpfs", "source": "/abs"`))
		if _, err := Plan(s, Options{Bundle: "/b", ID: "x", Host: links}); text(err) != want {
			t.Errorf("%s: %v, want %s", options, err, want)
		}
	}
	list := []Mount{{Destination: "/a", Source: "link", Options: []string{"bind", "copy-symlink"}}}
	_, _, err := PlanMounts(list, "/b", false)
	const want = "mounts[0].options: copy-symlink may make a link, and a running container is only given mounts"
	if text(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestCgroupOptions checks that on cgroup v2 a mount of type cgroup accepts the options of cgroup2, and no others.
func TestCgroupOptions(t *testing.T) {
	v2 := Host{Cgroup: CgroupHost{Version: 2, Hierarchies: []CgroupHierarchy{{Mountpoint: "/sys/fs/cgroup", V2: true}}}}
	for options, want := range map[string]string{
		`"ro", "nsdelegate", "memory_recursiveprot"`: "",
		`"ro", "nonsense=1"`:                         `mounts[0].options: "nonsense=1" is not an option of a mount of type cgroup on this host`,
		`"xattr"`:                                    `mounts[0].options: "xattr" is not an option of a mount of type cgroup on this host`,
	} {
		_, err := Plan(spec(t, `{"mounts": [{"destination": "/a", "type": "cgroup", "options": [`+options+`]}]}`),
			Options{Bundle: "/b", ID: "x", Host: v2})
		if got := text(err); got != want {
			t.Errorf("%s: %q, want %q", options, got, want)
		}
	}
}

// TestPathsTwice checks that relative paths start at the root, and that a path that is listed twice counts once,
// even if it is written differently.
func TestPathsTwice(t *testing.T) {
	out, err := Plan(spec(t, `{"linux": {"maskedPaths": ["/proc/keys", "proc//keys", "/proc/./keys/", "/sys/../proc/kcore"], "readonlyPaths": ["/a", "/b", "/a"]}}`), Options{Bundle: "/b", ID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := &out.Spawn.Container
	if diff := cmp.Diff([][]string{{"/proc/keys", "/proc/kcore"}, {"/a", "/b"}},
		[][]string{cfg.Masked, cfg.Readonly}); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`linux.maskedPaths[1]: "proc//keys" is not absolute and is taken from the container's root`}, out.Warnings); diff != "" {
		t.Error(diff)
	}
}

// TestRemount covers attributes of any mount, and options of the container's own file systems.
func TestRemount(t *testing.T) {
	out := planOf(t, Options{}, `{"mounts": [
		{"destination": "/a", "type": "tmpfs"}, {"destination": "/b", "source": "/x", "options": ["bind"]},
		{"destination": "/c", "type": "ext4", "source": "/dev/x"},
		{"destination": "/a/", "type": "none", "source": "x", "options": ["remount", "ro", "size=1m", "async"]},
		{"destination": "/b", "options": ["remount", "ro", "nosuid"]},
		{"destination": "/c", "options": ["remount", "rw", "nolazytime"]},
		{"destination": "/c", "options": ["bind", "remount", "ro", "sync"]}]}`)
	want := []container.Mount{
		{Destination: "/a", Remount: true, Set: unix.MOUNT_ATTR_RDONLY, Data: []string{"size=1m"},
			FSFlags: []string{"async"}},
		{Destination: "/b", Remount: true, Set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID},
		{Destination: "/c", Remount: true, Clear: unix.MOUNT_ATTR_RDONLY, FSFlags: []string{"nolazytime", "rw"}},
		{Destination: "/c", Remount: true, Set: unix.MOUNT_ATTR_RDONLY},
	}
	if diff := cmp.Diff(want, out.Spawn.Container.Mounts[3:]); diff != "" {
		t.Error(diff)
	}
	warning := []string{"mounts[6].options: sync belongs to the file system and has no effect beside bind"}
	if diff := cmp.Diff(warning, out.Warnings); diff != "" {
		t.Error(diff)
	}
	out = planOf(t, Options{Host: Host{SELinux: true}}, `{"linux": {"mountLabel": "a:b:c:s0:c1,c2"}}`)
	if l := out.Spawn.Container.MountLabel; l != "a:b:c:s0:c1,c2" {
		t.Errorf("label %q", l)
	}
}

// TestSeenSet checks that long lists give the same results as short ones.
func TestSeenSet(t *testing.T) {
	var list []string
	seen := seenSet{}
	for i := range 5 * shortList {
		p := "/" + strconv.Itoa(i*7%(2*shortList))
		if got, want := seen.has(list, p), slices.Contains(list, p); got != want {
			t.Fatalf("%s among %d: %t, want %t", p, len(list), got, want)
		}
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	if len(list) != 2*shortList {
		t.Errorf("%d", len(list))
	}
}

// TestDestinationOnTheHost checks that a destination that begins with the root file system's path on the host is a
// path in the container. As with runc, the prefix is compared by whole elements, after cleaning, and removed once.
func TestDestinationOnTheHost(t *testing.T) {
	for in, want := range map[string]string{
		"/b/rootfs/mnt": "/mnt", "/b//rootfs/x/../mnt/": "/mnt", "/../b/rootfs/mnt": "/mnt", "b/rootfs/mnt": "/mnt",
		"/b/rootfs/b/rootfs/mnt": "/b/rootfs/mnt",
		"/b/rootfsx/mnt":         "/b/rootfsx/mnt", "/x/b/rootfs/mnt": "/x/b/rootfs/mnt", "/b/mnt": "/b/mnt",
		"/b/rootfs/../mnt": "/b/mnt",
	} {
		for _, root := range []string{"rootfs", "/b/rootfs/", "/b/x/../rootfs"} {
			s := spec(t)
			s.Root.Path = root
			s.Mounts = []Mount{{Destination: in, Type: "tmpfs"}}
			out, err := Plan(s, Options{Bundle: "/b", ID: "x"})
			if err != nil {
				t.Fatal(err)
			}
			if got := out.Spawn.Container.Mounts[0].Destination; got != want {
				t.Errorf("%s in %s: %s, want %s", in, root, got, want)
			}
		}
	}
	s := spec(t)
	s.Root.Path = "/"
	s.Mounts = []Mount{{Destination: "/mnt", Type: "tmpfs"}}
	if out, err := Plan(s, Options{Bundle: "/b", ID: "x"}); err != nil ||
		out.Spawn.Container.Mounts[0].Destination != "/mnt" {
		t.Errorf("below /: %+v, %v", out, err)
	}
	s = spec(t)
	s.Root.Path = "rootfs"
	s.Mounts = []Mount{{Destination: "/b/rootfs/", Type: "tmpfs"}}
	_, err := Plan(s, Options{Bundle: "/b", ID: "x"})
	const onTop = `mounts[0].destination: "/b/rootfs/" is the root file system itself; want a path below it`
	if got := text(err); got != onTop {
		t.Errorf("%s, want %s", got, onTop)
	}
	s.Mounts[0] = Mount{Destination: "/b/rootfs", Options: []string{"remount", "ro"}}
	if out, err := Plan(s, Options{Bundle: "/b", ID: "x"}); err != nil ||
		out.Spawn.Container.Mounts[0].Destination != "/" {
		t.Errorf("a remount of the root: %+v, %v", out, err)
	}
}
