package test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestBindOnDanglingLink: images have /etc/resolv.conf -> ../run/systemd/resolve/stub-resolv.conf, where /run is empty, and
// every manager binds that file. What the link names is made in the image, and covered there.
func TestBindOnDanglingLink(t *testing.T) {
	r := newRuntime(t)
	source := testenv.Dir(t)
	for _, f := range []string{"resolv.conf", "hosts", "dir/file"} {
		path := filepath.Join(source, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(f+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	bundle := shell(t, "cat /etc/resolv.conf /run/systemd/resolve/stub-resolv.conf /etc/hosts /srv/hosts /data/file /srv/volumes/data/file; cat /lib/tmp/f", func(c map[string]any) {
		addMount(c, "/run", "tmpfs", "tmpfs", "mode=755")
		addMount(c, "/etc/resolv.conf", "bind", filepath.Join(source, "resolv.conf"), "bind", "ro")
		addMount(c, "/etc/hosts", "bind", filepath.Join(source, "hosts"), "bind")
		addMount(c, "/data", "bind", filepath.Join(source, "dir"), "bind")
		addMount(c, "/lib/tmp", "tmpfs", "tmpfs")
	})
	root := rootOf(t, bundle)
	_ = os.RemoveAll(filepath.Join(root, "lib"))
	for link, target := range map[string]string{
		"etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf", "etc/hosts": "/srv/hosts", "data": "srv/volumes/../volumes/data", "lib": "usr/lib64",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	o := r.do("run", "-b", bundle, testenv.ID(t))
	want := "resolv.conf\nresolv.conf\nhosts\nhosts\ndir/file\ndir/file\n"
	if o.stdout != want || !strings.Contains(o.stderr, "/lib/tmp/f") {
		t.Errorf("status %d, %q, want %q: %s", o.status, o.stdout, want, o.stderr)
	}
	for _, made := range []string{"srv/hosts", "srv/volumes/data", "usr/lib64/tmp"} {
		if _, err := os.Lstat(filepath.Join(root, made)); err != nil {
			t.Errorf("not made in the image: %v", err)
		}
	}
}

// TestLongOptions: fsconfig(2) takes values of up to 255 bytes, and managers give overlays whose lowerdir is much longer,
// up to the page that mount(2) takes and beyond it, where the kernel has lowerdir+.
func TestLongOptions(t *testing.T) {
	r := newRuntime(t)
	for name, c := range map[string]struct {
		layers, length int
		comma          string
	}{"longer than fsconfig takes": {3, 200, ""}, "one long layer": {1, 250, "a,b/"}, "longer than a page": {30, 150, ""}} {
		dir := testenv.Dir(t)
		var layers []string
		for i := range c.layers {
			layer := filepath.Join(dir, c.comma, strings.Repeat("x", 20), strings.Repeat("y", c.length-20), strconv.Itoa(i))
			if err := os.MkdirAll(layer, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(layer, "f"+strconv.Itoa(i)), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			layers = append(layers, layer)
		}
		if len(layers) == 1 { // an overlay needs two, or an upper one
			layers = append(layers, testenv.Dir(t))
		}
		script := `ls /mnt | wc -l; touch /mnt/x 2>&1; grep ' /mnt ' /proc/self/mountinfo | cut -d ' ' -f 6,9; grep -c ' / rw' /proc/self/mountinfo; grep -c xxx /proc/mounts`
		bundle := shell(t, script, func(config map[string]any) {
			addMount(config, "/home", "tmpfs", strings.Repeat("xxx", 300))
			addMount(config, "/mnt", "overlay", "overlay", "lowerdir="+strings.Join(layers, ":"), "nosuid", "nodev")
		})
		o := r.do("run", "-b", bundle, testenv.ID(t))
		want := strconv.Itoa(c.layers) + "\ntouch: /mnt/x: Read-only file system\nrw,nosuid,nodev,relatime overlay\n1\n2\n"
		if o.status != 0 || o.stdout != want {
			t.Errorf("%s: status %d, %q, want %q: %s", name, o.status, o.stdout, want, o.stderr)
		}
	}
	// What nobody can say to the kernel is told with its size, and nothing is left mounted.
	long := func(option string) string {
		bundle := shell(t, "true", func(config map[string]any) { addMount(config, "/mnt", "tmpfs", "tmpfs", option) })
		return r.fails([]string{"/mnt"}, "run", "-b", bundle, testenv.ID(t))
	}
	contains(t, long("mpol="+strings.Repeat("x", 300)), "tmpfs", "invalid argument", "305 bytes of options")
	contains(t, long("mpol="+strings.Repeat("x", 5000)), "tmpfs", "5005 bytes of options, the kernel takes 4095")
}
