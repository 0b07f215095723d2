package test

import (
	"os"
	"path/filepath"
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
