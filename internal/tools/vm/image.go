package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/handfast/handfast/internal/testenv/debian"
	"github.com/handfast/handfast/internal/tools/vm/job"
)

// systemPackages are the packages of the guest's own tree besides the essential ones: what the tests use, and
// systemd for the boot that runs it.
var systemPackages = []string{
	"busybox-static", "kmod", "util-linux", "procps", "uidmap", "apparmor", "python3-minimal", "systemd", "systemd-sysv",
	"dbus", "dbus-user-session", "libpam-systemd", "udev", "criu", "iptables",
}

// unpackedPackages are the packages of a tree of another architecture, to which only what they depend on is added. As
// nothing of it can be executed here, nothing is configured, and systemd would not start.
var unpackedPackages = []string{
	"base-files", "base-passwd", "bash", "busybox-static", "coreutils", "dash", "findutils", "grep", "hostname", "kmod",
	"mount", "ncurses-bin", "procps", "sed", "uidmap", "util-linux",
}

// unit is the systemd service that starts the guest's program.
const unit = `[Unit]
Description=The jobs of this boot
After=dbus.socket systemd-logind.service systemd-user-sessions.service

[Service]
Type=exec
ExecStart=` + job.Guest + `
`

// machine is the machine that qemu boots.
type machine struct {
	kernel, initramfs string
	system            string // the image of the root file system
	service           string // the image of a tree that a test needs, see debian.Tree; empty for another architecture
}

// serviceTree lists the packages of the tree in which the container suite's service runs.
var serviceTree = []string{"redis-server"}

// build makes what is not in the cache yet. Each name in the cache depends on what the file is made from.
func build(a *arch) (machine, error) {
	recipe := []string{debian.Suite(), a.kernelPackage(), strings.Join(a.packages(), " "), unit, firstScript,
		strings.Join(modules, " ")}
	key := sha256.Sum256([]byte(strings.Join(recipe, "\x00")))
	dir := filepath.Join(debian.Cache, fmt.Sprintf("vm-%x", key[:6]))
	m := machine{filepath.Join(dir, "vmlinuz"), filepath.Join(dir, "initramfs"), filepath.Join(dir, "system.ext4"), ""}
	if err := debian.Once(dir, func(partial string) error { return buildMachine(a, partial) }); err != nil {
		return m, err
	}
	if !a.native() {
		return m, nil
	}
	tree, err := debian.Tree(serviceTree...)
	if err != nil {
		return m, err
	}
	m.service = tree + ".ext4"
	return m, debian.Once(m.service, func(partial string) error { return ext4(tree, partial, 32) })
}

// buildMachine makes the kernel, the initramfs and the root file system in dir.
func buildMachine(a *arch, dir string) error {
	say("building the guest for %s: the kernel, a Debian tree, an image of it (a minute, once)", a.name)
	root, kernel := filepath.Join(dir, "root"), filepath.Join(dir, "kernel")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := makeTree(a, root); err != nil {
		return err
	}
	if err := adapt(root); err != nil {
		return err
	}
	if err := debian.Unpack(a.name, kernel, a.kernelPackage()); err != nil {
		return err
	}
	if err := firstFiles(a, dir, root, kernel); err != nil {
		return err
	}
	// 1.5 GiB of free space for what the tests write.
	if err := ext4(root, filepath.Join(dir, "system.ext4"), 1536); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(root), os.RemoveAll(kernel))
}

// makeTree makes the Debian tree of the guest.
func makeTree(a *arch, root string) error {
	if a.native() {
		tree, err := debian.Tree(a.packages()...)
		if err != nil {
			return err
		}
		if err := command("", "cp", "-a", tree, root); err != nil {
			return err
		}
		return addService(root)
	}
	if err := debian.Unpack(a.name, root, a.packages()...); err != nil {
		return err
	}
	// What base-passwd would do if it were configured.
	masters := filepath.Join(root, "usr/share/base-passwd")
	return errors.Join(
		command("", "cp", filepath.Join(masters, "passwd.master"), filepath.Join(root, "etc/passwd")),
		command("", "cp", filepath.Join(masters, "group.master"), filepath.Join(root, "etc/group")))
}

// addService has systemd start the guest's program.
func addService(root string) error {
	units := filepath.Join(root, "etc/systemd/system")
	if err := os.WriteFile(filepath.Join(units, "handfast-vm.service"), []byte(unit), 0o644); err != nil {
		return err
	}
	// This file keeps services from starting while the tree is built, and would keep them from starting forever.
	if err := os.RemoveAll(filepath.Join(root, "usr/sbin/policy-rc.d")); err != nil {
		return err
	}
	wants := filepath.Join(units, "multi-user.target.wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		return err
	}
	return os.Symlink("/etc/systemd/system/handfast-vm.service", filepath.Join(wants, "handfast-vm.service"))
}

// adapt makes the tree bootable.
func adapt(root string) error {
	for path, text := range map[string]string{
		"etc/fstab":    "",
		"etc/hostname": "handfast-vm\n",
		"etc/hosts":    "127.0.0.1 localhost handfast-vm\n",
	} {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, dir := range []string{job.Payload, debian.Path(serviceTree...)} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// firstFiles puts the kernel and the initramfs into dir, and the kernel's modules with their index into the tree.
// kernel is the unpacked package.
func firstFiles(a *arch, dir, root, kernel string) error {
	kernels, err := filepath.Glob(filepath.Join(kernel, "boot/vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		return fmt.Errorf("the kernel's package has %d kernels in /boot", len(kernels))
	}
	version := strings.TrimPrefix(filepath.Base(kernels[0]), "vmlinuz-")
	if err := command("", "cp", "-a", filepath.Join(kernel, "usr/lib/modules"),
		filepath.Join(root, "usr/lib/")); err != nil {
		return err
	}
	if err := command("", "depmod", "--basedir", root, version); err != nil {
		return err
	}
	service := ""
	if a.native() {
		service = debian.Path(serviceTree...)
	}
	data, err := initramfs(filepath.Join(root, "usr/lib/modules", version), filepath.Join(root, "bin/busybox"), service)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "initramfs"), data, 0o600); err != nil {
		return err
	}
	return os.Rename(kernels[0], filepath.Join(dir, "vmlinuz"))
}

// ext4 makes an image of the tree with spare MiB of free space. It needs neither a loop device nor a mount.
func ext4(tree, image string, spare int) error {
	out, err := exec.Command("du", "-sm", "--apparent-size", tree).Output()
	if err != nil {
		return fmt.Errorf("du %s: %w", tree, err)
	}
	var used int
	if _, err := fmt.Sscan(string(out), &used); err != nil {
		return fmt.Errorf("du %s: %w", tree, err)
	}
	// Blocks and inodes take a quarter more than the bytes of the files.
	return command("", "mke2fs", "-q", "-t", "ext4", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1", "-d",
		tree, image, fmt.Sprintf("%dM", used+used/4+spare))
}

// command runs a program and adds its output to the error.
func command(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
