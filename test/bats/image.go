package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/handfast/handfast/internal/testenv/debian"
)

// writeImages writes the two images of the tests into a directory: stand-ins for those of the Docker library, made of
// Debian's static busybox and of a small Debian tree.
func writeImages(ctx context.Context, dir string) error {
	tree, err := os.MkdirTemp(dir, "busybox")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	if err := os.Chmod(tree, 0o755); err != nil { // containers run as other users
		return err
	}
	if err := busybox(ctx, tree); err != nil {
		return err
	}
	if err := archive(ctx, imagePath(dir, "busybox"), tree); err != nil {
		return err
	}
	if tree, err = debian.Tree(); err != nil {
		return err
	}
	return archive(ctx, imagePath(dir, "debian"), tree, unwanted()...)
}

// unwanted are the parts of the Debian tree that no test needs. Most tests of the image unpack it again.
func unwanted() []string {
	var all []string
	for _, path := range []string{
		"usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/zoneinfo", "usr/share/i18n", "usr/share/perl*",
		"usr/lib/locale", "usr/lib/apt", "usr/lib/dpkg", "usr/lib/*/perl*", "usr/lib/*/gconv", "usr/lib/*/libapt*",
		"usr/lib/*/libperl*", "usr/bin/perl*", "usr/bin/apt*", "usr/bin/dpkg*", "var/lib/dpkg", "var/lib/apt", "var/cache/*",
		"var/log/*",
	} {
		all = append(all, "--exclude=./"+path)
	}
	return all
}

// archive writes a tree as a tar archive whose names begin with "./", which the tests depend on.
func archive(ctx context.Context, file, tree string, args ...string) error {
	args = append([]string{"--numeric-owner", "-cf", file, "-C", tree}, append(args, ".")...)
	if out, err := exec.CommandContext(ctx, "tar", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("archiving %s: %w\n%s", tree, err, out)
	}
	return nil
}

// files are those of the busybox image beside its programs.
var files = map[string]string{
	"etc/passwd": "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\n" +
		"mail:x:8:8:mail:/var/spool/mail:/bin/false\nwww-data:x:33:33:www-data:/var/www:/bin/false\n" +
		"nobody:x:65534:65534:nobody:/home:/bin/false\n",
	"etc/group": "root:x:0:\ndaemon:x:1:\ntty:x:5:\nmail:x:8:\nwww-data:x:33:\nusers:x:100:\nnogroup:x:65534:\n",
}

// busybox makes the tree of the busybox image: every applet is a hard link in /bin, as in the original.
func busybox(ctx context.Context, tree string) error {
	for _, dir := range []string{"bin", "dev", "etc", "home", "lib", "root", "tmp", "usr/bin", "usr/sbin",
		"var/spool/mail"} {
		if err := os.MkdirAll(filepath.Join(tree, dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(tree, "tmp"), 0o777|os.ModeSticky); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	host, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("%w: apt-get install busybox-static", err)
	}
	program, err := os.ReadFile(host)
	if err != nil {
		return err
	}
	first := filepath.Join(tree, "bin/busybox")
	if err := os.WriteFile(first, program, 0o755); err != nil {
		return err
	}
	applets, err := exec.CommandContext(ctx, first, "--list").Output()
	if err != nil {
		return fmt.Errorf("busybox --list: %w", err)
	}
	for applet := range strings.FieldsSeq(string(applets)) {
		if applet == "busybox" {
			continue
		}
		if err := os.Link(first, filepath.Join(tree, "bin", applet)); err != nil {
			return err
		}
	}
	return os.Symlink("../../bin/env", filepath.Join(tree, "usr/bin/env"))
}
