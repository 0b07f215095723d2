package oci

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Version is the version of the specification that this package follows.
const Version = "1.3.0"

// DefaultSpec returns the configuration that the command spec writes. It is the same as runc's: a shell in
// ./rootfs with new namespaces and few capabilities. cgroup adds a cgroup namespace, which runc does on hosts with
// only cgroup v2.
func DefaultSpec(cgroup bool) *Spec {
	namespaces := []Namespace{{Type: "pid"}, {Type: "network"}, {Type: "ipc"}, {Type: "uts"}, {Type: "mount"}}
	if cgroup {
		namespaces = append(namespaces, Namespace{Type: "cgroup"})
	}
	caps := []string{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"}
	return &Spec{
		Version: Version,
		Process: &Process{
			Terminal: true,
			Args:     []string{"sh"},
			Env:      []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"},
			Cwd:      "/", NoNewPrivileges: true,
			Capabilities: &Capabilities{Bounding: caps, Effective: caps, Permitted: caps},
			Rlimits:      []Rlimit{{Type: "RLIMIT_NOFILE", Hard: 1024, Soft: 1024}},
		},
		Root:     &Root{Path: "rootfs", Readonly: true},
		Hostname: "handfast",
		Mounts: []Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755",
				"size=65536k"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance",
				"ptmxmode=0666", "mode=0620", "gid=5"}},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777",
				"size=65536k"}},
			{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
			{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev",
				"relatime", "ro"}},
		},
		Linux: &Linux{
			Resources:  &Resources{Devices: []DeviceRule{{Access: "rwm"}}},
			Namespaces: namespaces,
			MaskedPaths: []string{
				"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
				"/proc/timer_stats", "/proc/sched_debug",
				"/sys/firmware", "/proc/scsi",
			},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
}

// RootlessSpec is DefaultSpec for a caller that is not root. It has a user namespace in which uid and gid are root
// and no other id is mapped. It uses the host's network, because a new one would have no connection, and the
// host's /sys. It has no additional groups and no limits.
func RootlessSpec(uid, gid uint32, cgroup bool) *Spec {
	s := DefaultSpec(cgroup)
	l := s.Linux
	l.Resources = nil
	l.Namespaces = append(slices.DeleteFunc(l.Namespaces, func(n Namespace) bool { return n.Type == "network" }),
		Namespace{Type: "user"})
	l.UIDMappings = []IDMapping{{ContainerID: 0, HostID: uid, Size: 1}}
	l.GIDMappings = []IDMapping{{ContainerID: 0, HostID: gid, Size: 1}}
	mounts := s.Mounts[:0]
	for _, m := range s.Mounts {
		switch m.Destination {
		case "/dev/pts":
			m.Options = m.Options[:len(m.Options)-1] // gid=5, the group tty, has no id there
		case "/sys":
			// A user namespace without its own network namespace may not mount sysfs, but it may bind the host's.
			m = Mount{Destination: "/sys", Type: "none", Source: "/sys", Options: []string{"rbind", "nosuid", "noexec", "nodev",
				"ro"}}
		}
		// /sys/fs/cgroup is mounted in the same way as without a user namespace, although it is part of /sys. That
		// bind mount is read-only only at its top, and the user may write to the host's groups below it where they
		// were delegated.
		mounts = append(mounts, m)
	}
	s.Mounts = mounts
	return s
}

// Marshal returns the configuration in the form of config.json: indented with tabs, and with a final newline.
func (s *Spec) Marshal() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	err := e.Encode(s)
	return b.Bytes(), err
}
