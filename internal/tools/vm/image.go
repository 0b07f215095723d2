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

// kernelPackage is a package that depends on the Debian suite's current kernel for virtual machines.
const kernelPackage = "linux-image-cloud-amd64"

// systemPackages are the packages of the guest's own tree besides the essential ones: what the tests use, and
// systemd for the boot that runs it.
var systemPackages = []string{
	"busybox-static", "kmod", "util-linux", "procps", "uidmap", "apparmor", "python3-minimal", "systemd", "systemd-sysv",
	"dbus", "dbus-user-session", "libpam-systemd", "udev",
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
	service           string // the image of a tree that a test needs, see debian.Tree
}

// serviceTree lists the packages of the tree in which the container suite's service runs.
var serviceTree = []string{"redis-server"}

// build makes what is not in the cache yet. Each name in the cache depends on what the file is made from.
func build() (machine, error) {
	recipe := []string{debian.Suite(), kernelPackage, strings.Join(systemPackages, " "), unit, firstScript,
		strings.Join(modules, " ")}
	key := sha256.Sum256([]byte(strings.Join(recipe, "\x00")))
	dir := filepath.Join(debian.Cache, fmt.Sprintf("vm-%x", key[:6]))
	m := machine{filepath.Join(dir, "vmlinuz"), filepath.Join(dir, "initramfs"), filepath.Join(dir, "system.ext4"), ""}
	if err := debian.Once(dir, buildMachine); err != nil {
		return m, err
	}
	tree, err := debian.Tree(serviceTree...)
	if err != nil {
		return m, err
	}
	m.service = tree + ".ext4"
	return m, debian.Once(m.service, func(partial string) error { return ext4(tree, partial, 32) })
}

// buildMachine makes the kernel, the initramfs and the root file system in dir.
func buildMachine(dir string) error {
	say("building the guest: the kernel, a Debian tree with systemd, an image of it (a minute, once)")
	tree, err := debian.Tree(systemPackages...)
	if err != nil {
		return err
	}
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := command("", "cp", "-a", tree, root); err != nil {
		return err
	}
	if err := unpackKernel(dir, root); err != nil {
		return err
	}
	if err := adapt(root); err != nil {
		return err
	}
	if err := firstFiles(dir, root); err != nil {
		return err
	}
	// 1.5 GiB of free space for what the tests write.
	if err := ext4(root, filepath.Join(dir, "system.ext4"), 1536); err != nil {
		return err
	}
	return os.RemoveAll(root)
}

// unpackKernel downloads the kernel's package and unpacks it into the tree. It installs nothing on the host.
func unpackKernel(dir, root string) error {
	// apt uses the host's files; only the archives are stored here.
	download := func(name string) (string, error) {
		if err := command(dir, "apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", name); err != nil {
			return "", fmt.Errorf("%w (is apt-get update due?)", err)
		}
		found, err := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
		if err != nil || len(found) != 1 {
			return "", fmt.Errorf("apt-get download %s left %d archives", name, len(found))
		}
		return found[0], nil
	}
	meta, err := download(kernelPackage)
	if err != nil {
		return err
	}
	out, err := exec.Command("dpkg-deb", "-f", meta, "Depends").Output()
	if err != nil {
		return fmt.Errorf("dpkg-deb -f %s: %w", meta, err)
	}
	name, _, _ := strings.Cut(strings.TrimSpace(string(out)), " ") // "linux-image-6.1.0-9-cloud-amd64 (= 6.1.9-1)"
	archive, err := download(name)
	if err != nil {
		return err
	}
	if err := command("", "dpkg-deb", "-x", archive, filepath.Join(dir, "kernel")); err != nil {
		return err
	}
	// Unpacked into the tree, the archive's lib would replace the tree's link of that name.
	if err := command("", "cp", "-a", filepath.Join(dir, "kernel/lib/modules"),
		filepath.Join(root, "usr/lib/")); err != nil {
		return err
	}
	return errors.Join(os.Remove(meta), os.Remove(archive))
}

// adapt makes the tree bootable.
func adapt(root string) error {
	for path, text := range map[string]string{
		"etc/fstab":                              "",
		"etc/hostname":                           "handfast-vm\n",
		"etc/hosts":                              "127.0.0.1 localhost handfast-vm\n",
		"etc/systemd/system/handfast-vm.service": unit,
	} {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, dir := range []string{strings.TrimPrefix(job.Payload, "/"), strings.TrimPrefix(debian.Path(serviceTree...),
		"/")} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	// This file keeps services from starting while the tree is built, and would keep them from starting forever.
	if err := os.RemoveAll(filepath.Join(root, "usr/sbin/policy-rc.d")); err != nil {
		return err
	}
	wants := filepath.Join(root, "etc/systemd/system/multi-user.target.wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		return err
	}
	return os.Symlink("/etc/systemd/system/handfast-vm.service", filepath.Join(wants, "handfast-vm.service"))
}

// firstFiles puts the kernel and the initramfs beside the image, and the modules' index into the image.
func firstFiles(dir, root string) error {
	kernels, err := filepath.Glob(filepath.Join(dir, "kernel/boot/vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		return fmt.Errorf("the kernel's package has %d kernels in /boot", len(kernels))
	}
	version := strings.TrimPrefix(filepath.Base(kernels[0]), "vmlinuz-")
	if err := command("", "chroot", root, "depmod", version); err != nil {
		return err
	}
	data, err := initramfs(filepath.Join(dir, "kernel/lib/modules", version), filepath.Join(root, "bin/busybox"),
		debian.Path(serviceTree...))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "initramfs"), data, 0o600); err != nil {
		return err
	}
	if err := os.Rename(kernels[0], filepath.Join(dir, "vmlinuz")); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(dir, "kernel"))
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
