package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestMountsWithMappings: the mappings of a bind mount set the owners of its files, with and without a user namespace;
// the source itself does not change.
func TestMountsWithMappings(t *testing.T) {
	r := newRuntime(t)
	source := testenv.Dir(t)
	for name, uid := range map[string]int{"root": 0, "seven": 7} {
		path := filepath.Join(source, name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	mapping := func(host int) []any {
		return []any{map[string]any{"containerID": 0, "hostID": host, "size": 1000}}
	}
	const show = "stat -c %n:%u:%g /mapped/* /plain/*; touch /mapped/made; stat -c %u /mapped/made"
	for _, c := range []struct {
		name   string
		host   int
		userns bool
		option string
		want   string
	}{
		{"user namespace", hostIDs, true, "",
			"/mapped/root:0:0\n/mapped/seven:7:7\n/plain/root:65534:65534\n/plain/seven:65534:65534\n0\n"},
		{"the container's mappings", 0, true, "ridmap",
			"/mapped/root:0:0\n/mapped/seven:7:7\n/plain/root:65534:65534\n/plain/seven:65534:65534\n0\n"},
		{"no user namespace", 0, false, "",
			"/mapped/root:0:0\n/mapped/seven:7:7\n/plain/root:0:0\n/plain/seven:7:7\n0\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := *r
			r.t = t
			bundle := shell(t, show, func(config map[string]any) {
				options := []string{"rbind"}
				if c.option != "" {
					options = append(options, c.option)
				}
				addMount(config, "/mapped", "bind", source, options...)
				if mounts := list(config, "mounts"); c.option == "" {
					mounts[len(mounts)-1].(map[string]any)["uidMappings"] = mapping(c.host)
					mounts[len(mounts)-1].(map[string]any)["gidMappings"] = mapping(c.host)
				}
				addMount(config, "/plain", "bind", source, "bind")
				if c.userns {
					testenv.MapIDs(config, hostIDs, 1000)
				}
			})
			for _, place := range []string{"mapped", "plain"} {
				if err := os.Mkdir(filepath.Join(rootOf(t, bundle), place), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			o := r.do("run", "-b", bundle, testenv.ID(t))
			if o != (outcome{stdout: c.want}) {
				t.Errorf("%+v", o)
			}
			made := filepath.Join(source, "made")
			if info, err := os.Stat(made); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
				t.Errorf("on the host: %v", err)
			}
			_ = os.Remove(made)
		})
	}
	r.fails([]string{"mounts[6].gidMappings", "missing"}, "run", "-b", shell(t, "true", func(config map[string]any) {
		addMount(config, "/mapped", "bind", source, "bind")
		mounts := list(config, "mounts")
		mounts[len(mounts)-1].(map[string]any)["uidMappings"] = mapping(5)
	}), testenv.ID(t))
	// a file system that does not support mappings
	words := []string{"MOUNT_ATTR_IDMAP /proc",
		"invalid argument (a file system of type proc does not support id mappings"}
	r.fails(words, "run", "-b", shell(t, "true",
		func(config map[string]any) {
			addMount(config, "/mapped", "bind", "/proc", "bind")
			mounts := list(config, "mounts")
			mounts[len(mounts)-1].(map[string]any)["uidMappings"] = mapping(5)
			mounts[len(mounts)-1].(map[string]any)["gidMappings"] = mapping(5)
		}), testenv.ID(t))
}

// TestMappingsOfAnEarlierMount: the source of an id-mapped bind can be what an earlier mount of the container has put
// below its root file system, which only its mount namespace has.
func TestMappingsOfAnEarlierMount(t *testing.T) {
	r := newRuntime(t)
	source := testenv.Dir(t)
	if err := os.WriteFile(filepath.Join(source, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(source, "file"), 7, 7); err != nil {
		t.Fatal(err)
	}
	for _, userns := range []bool{false, true} {
		bundle := shell(t, "stat -c %n:%u /mapped/*", func(config map[string]any) {
			if userns {
				testenv.MapIDs(config, hostIDs, 1000)
			}
			root := config["root"].(map[string]any)["path"].(string)
			for _, place := range []string{"first", "mapped"} {
				if err := os.MkdirAll(filepath.Join(root, place), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			addMount(config, "/first", "bind", source, "bind")
			addMount(config, "/mapped", "bind", filepath.Join(root, "first"), "bind")
			mounts := list(config, "mounts")
			host := 0
			if userns {
				host = hostIDs
			}
			ids := []any{map[string]any{"containerID": 7, "hostID": host + 5, "size": 1}}
			for _, kind := range []string{"uidMappings", "gidMappings"} {
				mounts[len(mounts)-1].(map[string]any)[kind] = ids
			}
		})
		if o := r.do("run", "-b", bundle, testenv.ID(t)); o != (outcome{stdout: "/mapped/file:5\n"}) {
			t.Errorf("user namespace %t: %+v", userns, o)
		}
	}
}

// TestNewFileSystemsWithMappings: a tmpfs has mappings of its own, or those of the container, whose user namespace can
// be one that it joins. If a file system does not support mappings, the error names it.
func TestNewFileSystemsWithMappings(t *testing.T) {
	r := newRuntime(t)
	mapped := func(c map[string]any, host int) {
		mounts := list(c, "mounts")
		m := mounts[len(mounts)-1].(map[string]any)
		m["uidMappings"] = []any{map[string]any{"containerID": 0, "hostID": host, "size": 1000}}
		m["gidMappings"] = m["uidMappings"]
	}
	const show = "stat -c %u:%g:%a /mnt; touch /mnt/file && stat -c %u /mnt/file; " +
		"grep ' /mnt ' /proc/self/mountinfo | grep -o 'idmapped\\|tmpfs' | sort -u"
	bundle := func(edit func(c map[string]any)) string {
		b := shell(t, show, edit)
		if err := os.MkdirAll(filepath.Join(rootOf(t, b), "mnt"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(rootOf(t, b), "mnt"), 0o700); err != nil {
			t.Fatal(err)
		}
		return b
	}
	o := r.do("run", "-b", bundle(func(c map[string]any) {
		addMount(c, "/mnt", "tmpfs", "tmpfs", "size=1m")
		mapped(c, 1000)
	}), testenv.ID(t))
	if !linuxIs(t, 6, 3) {
		if o.status != 1 || !strings.Contains(o.stderr,
			"a file system of type tmpfs does not support id mappings in this kernel") {
			t.Errorf("before Linux 6.3: %+v", o)
		}
		return
	}
	// The files belong to 1000, and root of this container cannot override their modes.
	if o.stdout != "1000:1000:700\nidmapped\ntmpfs\n" || !strings.Contains(o.stderr, "Permission denied") {
		t.Errorf("no user namespace: %+v", o)
	}
	holder, pid := r.sleeping(func(c map[string]any) { testenv.MapIDs(c, hostIDs, 65536) })
	for name, edit := range map[string]func(c map[string]any){
		"its own mappings": func(c map[string]any) {
			testenv.MapIDs(c, hostIDs, 65536)
			addMount(c, "/mnt", "tmpfs", "tmpfs", "size=1m")
			mapped(c, hostIDs)
		},
		"the container's": func(c map[string]any) {
			testenv.MapIDs(c, hostIDs, 65536)
			addMount(c, "/mnt", "tmpfs", "tmpfs", "idmap", "size=1m")
		},
		"those of a namespace that is joined": func(c map[string]any) {
			testenv.MapIDs(c, hostIDs, 65536)
			setNamespace(c, "user", fmt.Sprintf("/proc/%d/ns/user", pid))
			delete(linux(c), "uidMappings")
			delete(linux(c), "gidMappings")
			addMount(c, "/mnt", "tmpfs", "tmpfs", "ridmap", "size=1m")
		},
	} {
		if o := r.do("run", "-b", bundle(edit), testenv.ID(t)); o.stdout != "0:0:700\n0\nidmapped\ntmpfs\n" || o.status != 0 {
			t.Errorf("%s: %+v", name, o)
		}
	}
	r.ok("delete", "--force", holder)
	proc := bundle(func(c map[string]any) {
		addMount(c, "/mnt", "proc", "proc")
		mapped(c, 1000)
	})
	r.fails([]string{"mounts[6]: a file system of type proc takes no mappings"}, "run", "-b", proc, testenv.ID(t))
	dir := testenv.Dir(t)
	for _, sub := range []string{"a", "b", "w"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	overlay := bundle(func(c map[string]any) {
		addMount(c, "/mnt", "overlay", "overlay", "lowerdir="+dir+"/a", "upperdir="+dir+"/b", "workdir="+dir+"/w")
		mapped(c, 1000)
	})
	if o := r.do("run", "-b", overlay, testenv.ID(t)); o.status != 0 { // later kernels may support them
		r.oneLine(o, []string{"MOUNT_ATTR_IDMAP /mnt", "of type overlay does not support id mappings in this kernel"})
	}
}
