package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

type mount struct {
	kind, target string
	flags        uintptr
	data         string
}

const usual = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// base are the mounts of every Linux system. /dev, and with it the disks, comes from the initramfs.
var base = []mount{
	{"proc", "/proc", usual, ""},
	{"sysfs", "/sys", usual, ""},
	{"devpts", "/dev/pts", unix.MS_NOSUID | unix.MS_NOEXEC, "ptmxmode=0666,mode=0620,gid=5"},
	{"tmpfs", "/dev/shm", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
	{"mqueue", "/dev/mqueue", usual, ""},
	{"hugetlbfs", "/dev/hugepages", unix.MS_NOSUID | unix.MS_NODEV, ""},
	{"tmpfs", "/run", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755"},
	{"securityfs", "/sys/kernel/security", usual, ""},
}

// v1 are the hierarchies of a host with cgroup v1, as distributions mounted them: some controllers share one.
var v1 = []string{"cpuset", "cpu,cpuacct", "memory", "devices", "freezer", "blkio", "pids", "hugetlb",
	"net_cls,net_prio", "perf_event", "rdma", "misc"}

func mountAll(mounts []mount) error {
	for _, m := range mounts {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.target, m.kind, m.flags, m.data); err != nil && err != unix.EBUSY {
			return fmt.Errorf("mounting %s at %s: %w", m.kind, m.target, err)
		}
	}
	return nil
}

// mountBase makes the mounts for which process 1 is responsible.
func mountBase() error {
	if err := mountAll(base); err != nil {
		return err
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1",
		"stderr": "fd/2"} {
		if err := os.Symlink(target, "/dev/"+name); err != nil && !os.IsExist(err) {
			return err
		}
	}
	// systemd makes every mount shared, and containers must cope with that.
	return unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, "")
}

// mountGroups mounts the cgroup hierarchies of the kind: "v1" or "v2".
func mountGroups(kind string) error {
	const root = "/sys/fs/cgroup"
	if kind == "v2" {
		return mountAll([]mount{{"cgroup2", root, usual, "nsdelegate"}})
	}
	all := []mount{{"tmpfs", root, usual, "mode=0755"}}
	for _, controllers := range v1 {
		all = append(all, mount{"cgroup", filepath.Join(root, controllers), usual, controllers})
	}
	all = append(all, mount{"cgroup", filepath.Join(root, "systemd"), usual, "none,name=systemd"})
	if err := mountAll(all); err != nil {
		return err
	}
	for _, controllers := range v1 {
		names := strings.Split(controllers, ",")
		if len(names) == 1 {
			continue
		}
		for _, name := range names {
			if err := os.Symlink(controllers, filepath.Join(root, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare sets up what every boot needs besides its mounts.
func prepare() error {
	for _, command := range [][]string{
		{"modprobe", "-a", "overlay", "veth", "dummy", "tun", "loop"},
		{"busybox", "ip", "link", "set", "lo", "up"},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", command, err, out)
		}
	}
	for path, value := range map[string]string{
		"/proc/sys/kernel/unprivileged_userns_clone": "1",
		"/proc/sys/vm/nr_hugepages":                  "16",
	} {
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			return err
		}
	}
	return nil
}

// openConsole opens the serial line that the host reads, and keeps the terminal from changing the bytes.
func openConsole(path string) (*os.File, error) {
	console, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t, err := unix.IoctlGetTermios(int(console.Fd()), unix.TCGETS)
	if err != nil {
		return nil, err
	}
	t.Ispeed, t.Ospeed = unix.B115200, unix.B115200
	t.Cflag = t.Cflag&^unix.CBAUD | unix.B115200
	return console, unix.IoctlSetTermios(int(console.Fd()), unix.TCSETS, t)
}
