package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv/debian"
)

// check tries what was built: every program runs, emulated where it is another architecture's; lintian has nothing
// against a package; and this machine's package installs in a clean Debian, works there, and leaves nothing behind.
func check(ctx context.Context, b *build, chosen []target, scratch string) error {
	for _, t := range chosen {
		if err := says(ctx, b, t); err != nil {
			return err
		}
	}
	for _, t := range chosen {
		if t.debian == "" {
			continue
		}
		if _, err := b.run(ctx, b.out, "lintian", "--fail-on", "error,warning", debianName(&b.release, t)); err != nil {
			return err
		}
	}
	say("lintian has nothing against the packages")
	for _, t := range chosen {
		if t.arch != runtime.GOARCH {
			continue
		}
		if os.Geteuid() != 0 {
			say("the package was not installed in a clean Debian: that needs root (effective user id %d)", os.Geteuid())
			continue
		}
		if err := install(ctx, b, t, scratch); err != nil {
			return err
		}
		say("the package works in a clean Debian")
	}
	return nil
}

// says runs the program with --version, natively where this kernel can, or emulated.
func says(ctx context.Context, b *build, t target) error {
	program := filepath.Join(b.out, "handfast."+t.arch)
	text, err := b.run(ctx, b.out, program, "--version")
	if errors.Is(err, unix.ENOEXEC) {
		if t.emulator == "" {
			say("%s: not tried: this kernel does not run its programs, and there is no emulator that does", t.arch)
			return nil
		}
		text, err = b.run(ctx, b.out, t.emulator, program, "--version")
	}
	if err == nil && text != b.versionText {
		err = fmt.Errorf("%s --version prints %q, want %q", program, text, b.versionText)
	}
	if err == nil {
		say("%s: the program says its version", t.arch)
	}
	return err
}

// checksums returns the lines of SHA256SUMS.
func checksums(dir string) ([]byte, error) {
	files, err := read(dir, "*")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(files[name]), name)
	}
	return b.Bytes(), nil
}

// A trial is one command in the tree where the package was installed, and what it must print.
type trial struct {
	args []string
	want string
	part bool // want is only a part of the output
}

// trials are what is tried after the installation.
func trials(b *build) []trial {
	all := []trial{
		{args: []string{"handfast", "--version"}, want: b.versionText},
		{args: []string{"dpkg", "--verify", "handfast"}},
		{args: []string{"bash", "-c", completes}, want: "start state\n"},
	}
	for _, name := range slices.Sorted(maps.Keys(b.pages)) {
		page := strings.TrimSuffix(name, path.Ext(name))
		all = append(all, trial{args: []string{"man", page}, want: strings.ToUpper(page) + "(8)", part: true})
	}
	return all
}

// completes is what an interactive bash does for "handfast st" and the tab key: bash-completion looks for the script.
const completes = `. /usr/share/bash-completion/bash_completion
_completion_loader handfast; test $? = 124
COMP_WORDS=(handfast st) COMP_CWORD=1
_handfast
echo "${COMPREPLY[@]}"`

// install installs the package in a clean Debian tree, tries it, and purges it.
func install(ctx context.Context, b *build, t target, scratch string) error {
	base, err := debian.Tree("bash-completion", "man-db")
	if err != nil {
		return err
	}
	done := make(chan error)
	go func() {
		// The mount is in a namespace of this thread, and ends with it: the thread is never unlocked.
		runtime.LockOSThread()
		done <- installIn(ctx, b, t, base, scratch)
	}()
	return <-done
}

func installIn(ctx context.Context, b *build, t target, base, scratch string) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	upper, work, tree := filepath.Join(scratch, "upper"), filepath.Join(scratch, "work"), filepath.Join(scratch, "tree")
	for _, dir := range []string{upper, work, tree} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	options := "lowerdir=" + base + ",upperdir=" + upper + ",workdir=" + work
	if err := unix.Mount("overlay", tree, "overlay", 0, options); err != nil {
		return fmt.Errorf("mounting an overlay over %s: %w", base, err)
	}
	name := debianName(&b.release, t)
	data, err := os.ReadFile(filepath.Join(b.out, name))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tree, "root", name), data, 0o644); err != nil {
		return err
	}
	inside := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "/usr/bin/env", args...)
		cmd.Dir = "/root"
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "MANWIDTH=200"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: tree}
		return output(cmd)
	}
	// The tree was made without manuals and documentation, and its dpkg would leave ours out, too.
	if _, err := inside("dpkg", "--path-include=/usr/share/*", "--install", name); err != nil {
		return err
	}
	for _, trial := range trials(b) {
		got, err := inside(trial.args...)
		if err != nil {
			return err
		}
		if got != trial.want && !(trial.part && strings.Contains(got, trial.want)) {
			return fmt.Errorf("in a clean Debian, %q prints %q, want %q", trial.args, got, trial.want)
		}
	}
	if _, err := inside("dpkg", "--purge", "handfast"); err != nil {
		return err
	}
	var left []error
	for name := range debianFiles(&b.release, t, nil) {
		if _, err := os.Lstat(filepath.Join(tree, name)); err == nil {
			left = append(left, fmt.Errorf("purging the package left /%s behind", name))
		}
	}
	return errors.Join(left...)
}
