package test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// TestCopiedLink: with the option copy-symlink a source that is a link arrives as a link, whatever it leads to, also
// where the same link is already; any other source is bound. What is in a link's place and is not the same link is an
// error.
func TestCopiedLink(t *testing.T) {
	for _, users := range []bool{false, true} {
		r, dir := newRuntime(t), testenv.Dir(t)
		if err := os.WriteFile(filepath.Join(dir, "file"), []byte("bound\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for link, text := range map[string]string{"dangling": "../no/where", "link": "file", "chain": "link"} {
			if err := os.Symlink(text, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
		}
		const script = "for l in /new/deep/dangling /tmp/link /tmp/chain; do readlink $l; done; cat /tmp/file"
		bundle := shell(t, script, func(c map[string]any) {
			addMount(c, "/new", "tmpfs", "tmpfs")
			addMount(c, "/tmp", "tmpfs", "tmpfs")
			for name, at := range map[string]string{"dangling": "/new/deep/dangling", "link": "/tmp/link",
				"chain": "/tmp/chain", "file": "/tmp/file"} {
				addMount(c, at, "bind", filepath.Join(dir, name), "rbind", "ro", "copy-symlink")
			}
			if users {
				testenv.MapIDs(c, hostIDs, 65536)
			}
		})
		if err := os.Mkdir(filepath.Join(rootOf(t, bundle), "new"), 0o755); err != nil {
			t.Fatal(err)
		}
		want := outcome{"../no/where\nfile\nlink\nbound\n", "", 0}
		if o := r.do("run", "-b", bundle, testenv.ID(t)); o != want {
			t.Errorf("user namespace %t: %+v", users, o)
		}
		if users {
			continue // the container's root may not write to the image
		}
		edit(t, bundle, func(c map[string]any) {
			testenv.SetArgs(c, "sh", "-c", "readlink /etc/there; readlink /a/b")
			c["mounts"] = c["mounts"].([]any)[:len(c["mounts"].([]any))-6]
			addMount(c, "/etc/there", "bind", filepath.Join(dir, "dangling"), "rbind", "copy-symlink")
			addMount(c, "/a/b", "bind", filepath.Join(dir, "dangling"), "rbind", "copy-symlink")
		})
		want.stdout = "../no/where\n../no/where\n"
		for range 2 { // the second time both are there
			if o := r.do("run", "-b", bundle, testenv.ID(t)); o != want {
				t.Errorf("in the image: %+v", o)
			}
		}
		at := filepath.Join(rootOf(t, bundle), "etc/there")
		for _, text := range []string{"../no/wher", "../no/where/", ""} {
			if err := os.Remove(at); err != nil {
				t.Fatal(err)
			}
			err := os.WriteFile(at, []byte("kept"), 0o644)
			if text != "" {
				err = errors.Join(os.Remove(at), os.Symlink(text, at))
			}
			if err != nil {
				t.Fatal(err)
			}
			r.fails([]string{"symlink /etc/there: file exists"}, "run", "-b", bundle, testenv.ID(t))
			if was, _ := os.Readlink(at); was != text {
				t.Errorf("it has become %q, was %q", was, text)
			}
		}
	}
}

// TestBindOnDanglingLink: images have /etc/resolv.conf -> ../run/systemd/resolve/stub-resolv.conf with an empty /run,
// and every manager binds that file. The target of the link is created in the image, and the bind covers it.
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
	bundle := shell(t, "cat /etc/resolv.conf /run/systemd/resolve/stub-resolv.conf /etc/hosts /srv/hosts /data/file "+
		"/srv/volumes/data/file; cat /lib/tmp/f", func(c map[string]any) {
		addMount(c, "/run", "tmpfs", "tmpfs", "mode=755")
		addMount(c, "/etc/resolv.conf", "bind", filepath.Join(source, "resolv.conf"), "bind", "ro")
		addMount(c, "/etc/hosts", "bind", filepath.Join(source, "hosts"), "bind")
		addMount(c, "/data", "bind", filepath.Join(source, "dir"), "bind")
		addMount(c, "/lib/tmp", "tmpfs", "tmpfs")
	})
	root := rootOf(t, bundle)
	_ = os.RemoveAll(filepath.Join(root, "lib"))
	for link, target := range map[string]string{
		"etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf", "etc/hosts": "/srv/hosts",
		"data": "srv/volumes/../volumes/data", "lib": "usr/lib64",
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

// TestDestinationOnTheHost: source and destination of a bind may both be named by the path of the root file system on
// the host; each bind sees those before it.
func TestDestinationOnTheHost(t *testing.T) {
	source := testenv.Dir(t)
	must(t, os.WriteFile(filepath.Join(source, "file"), []byte("inner\n"), 0o644))
	bundle := shell(t, "cat /final/file", func(c map[string]any) {
		root := c["root"].(map[string]any)["path"].(string)
		addMount(c, root+"/mnt", "bind", source, "bind")
		addMount(c, root+"/final", "bind", root+"/mnt", "rbind")
	})
	if o := newRuntime(t).do("run", "-b", bundle, testenv.ID(t)); o != (outcome{stdout: "inner\n"}) {
		t.Errorf("%+v", o)
	}
}

// TestLongOptions: fsconfig(2) takes values of up to 255 bytes. Managers create overlays with a much longer lowerdir,
// up to the page that mount(2) takes, and beyond it if the kernel has lowerdir+.
func TestLongOptions(t *testing.T) {
	r := newRuntime(t)
	const longerThanAPage = "longer than a page" // Linux 6.7
	for name, c := range map[string]struct {
		layers, length int
		comma          string
	}{"longer than fsconfig takes": {3, 200, ""}, "one long layer": {1, 250, "a,b/"},
		longerThanAPage: {30, 150, ""}} {
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
		if len(layers) == 1 { // an overlay needs two, or an upper layer
			layers = append(layers, testenv.Dir(t))
		}
		script := `ls /mnt | wc -l; touch /mnt/x 2>&1; grep ' /mnt ' /proc/self/mountinfo | cut -d ' ' -f 6,9; grep -c ' / rw' /proc/self/mountinfo; grep -c xxx /proc/mounts`
		bundle := shell(t, script, func(config map[string]any) {
			addMount(config, "/home", "tmpfs", strings.Repeat("xxx", 300))
			addMount(config, "/mnt", "overlay", "overlay", "lowerdir="+strings.Join(layers, ":"), "nosuid", "nodev")
		})
		if name == longerThanAPage && !linuxIs(t, 6, 7) {
			r.fails([]string{"/mnt", "lowerdir+=", "overlay"}, "run", "-b", bundle, testenv.ID(t))
			continue
		}
		o := r.do("run", "-b", bundle, testenv.ID(t))
		want := strconv.Itoa(c.layers) + "\ntouch: /mnt/x: Read-only file system\nrw,nosuid,nodev,relatime overlay\n1\n2\n"
		if o.status != 0 || o.stdout != want {
			t.Errorf("%s: status %d, %q, want %q: %s", name, o.status, o.stdout, want, o.stderr)
		}
	}
	// An option that the kernel cannot take is an error with its size, and nothing is left mounted.
	long := func(option string) string {
		bundle := shell(t, "true", func(config map[string]any) { addMount(config, "/mnt", "tmpfs", "tmpfs", option) })
		return r.fails([]string{"/mnt"}, "run", "-b", bundle, testenv.ID(t))
	}
	contains(t, long("mpol="+strings.Repeat("x", 300)), "tmpfs", "invalid argument", "305 bytes of options")
	contains(t, long("mpol="+strings.Repeat("x", 5000)), "tmpfs", "5005 bytes of options, the kernel takes 4095")
}

// TestCopyUpKeepsEverything: a tmpfs with tmpcopyup shows the image's entries below it, of every kind, with their
// modes, owners and extended attributes.
func TestCopyUpKeepsEverything(t *testing.T) {
	r := newRuntime(t)
	const show = `cd /data && find . | sort | while read f; do stat -c '%n %F %a %u:%g %t:%T %s' "$f"; done; cat sub/file`
	read := func(c map[string]any) {
		caps := []any{"CAP_DAC_READ_SEARCH"}
		process(c)["capabilities"] = map[string]any{"bounding": caps, "effective": caps, "permitted": caps}
	}
	bundle := shell(t, show, func(c map[string]any) {
		read(c)
		addMount(c, "/data", "tmpfs", "tmpfs", "tmpcopyup", "nosuid")
	})
	data := filepath.Join(rootOf(t, bundle), "data")
	script := `set -e; umask 0; mkdir -p $1/sub/deep; cd $1; echo content >sub/file; ln -s /etc/passwd link; mkfifo fifo; mknod dev c 1 3; mknod block b 7 250
		python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'; cp sub/file sub/suid; chown -R 7:8 .; chown -h 5:6 link
		chmod 6755 sub/suid; chmod 2750 sub; chmod 1777 sub/deep; chmod 604 fifo; chmod 640 dev
		python3 -c 'import os
os.setxattr("sub/suid", "security.capability", b"\x01\0\0\2\0\4\0\0" + bytes(12))
os.setxattr("sub", "trusted.dir", b"of a directory")
os.setxattr("link", "trusted.link", b"of a link", follow_symlinks=False)
os.setxattr("fifo", "trusted.empty", b"")'`
	if out, err := exec.Command("sh", "-c", script, "sh", data).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	covered := testenv.Bundle(t, rootOf(t, bundle), func(c map[string]any) {
		read(c)
		testenv.SetArgs(c, "sh", "-c", show)
	})
	want := r.do("run", "-b", covered, testenv.ID(t))
	got := r.do("run", "-b", bundle, testenv.ID(t))
	// The size of a directory depends on its file system.
	sizes := regexp.MustCompile(`(?m)(directory .*) \d+$`)
	if diff := cmp.Diff(sizes.ReplaceAllString(want.stdout, "$1"), sizes.ReplaceAllString(got.stdout, "$1")); diff != "" ||
		got.status != 0 || want.stdout == "" {
		t.Errorf("status %d %s%s", got.status, got.stderr, diff)
	}
	id := testenv.ID(t)
	edit(t, bundle, func(c map[string]any) { testenv.SetArgs(c, "sleep", "1000") })
	r.ok("run", "--detach", "-b", bundle, id)
	defer r.do("delete", "--force", id)
	inside := filepath.Join("/proc", strconv.Itoa(int(r.stateOf(id)["pid"].(float64))), "root/data")
	for file, attr := range map[string]string{"sub/suid": "security.capability", "sub": "trusted.dir",
		"link": "trusted.link", "fifo": "trusted.empty"} {
		a, b := make([]byte, 100), make([]byte, 100)
		n, err := unix.Lgetxattr(filepath.Join(data, file), attr, a)
		m, err2 := unix.Lgetxattr(filepath.Join(inside, file), attr, b)
		if err != nil || err2 != nil || string(a[:n]) != string(b[:m]) {
			t.Errorf("%s of %s: %q %v, in the image %q %v", attr, file, b[:max(m, 0)], err2, a[:max(n, 0)], err)
		}
	}
}

// TestMountKindsDiffer: the message says what is wrong with a file that is bound over a directory, and vice versa.
func TestMountKindsDiffer(t *testing.T) {
	r := newRuntime(t)
	file := filepath.Join(testenv.Dir(t), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for want, mount := range map[string][2]string{
		"a file cannot be mounted on a directory; name the file's path as the destination: is a directory": {"/home", file},
		"not a directory": {"/etc/passwd", filepath.Dir(file)},
	} {
		bundle := shell(t, "true", func(c map[string]any) { addMount(c, mount[0], "bind", mount[1], "bind") })
		r.fails([]string{"mount " + mount[0], want}, "run", "-b", bundle, testenv.ID(t))
	}
}
