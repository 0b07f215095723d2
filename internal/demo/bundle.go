package main

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// makeBundle makes the container's root filesystem, the payload and empty directories, and its config.json below dir.
func makeBundle(dir, payload string, uid, gid int) error {
	for _, d := range []string{"bin", "dev", "proc", "sys"} {
		if err := os.MkdirAll(filepath.Join(dir, "rootfs", d), 0o755); err != nil {
			return err
		}
	}
	if err := os.Rename(payload, filepath.Join(dir, "rootfs/bin/payload")); err != nil {
		return err
	}
	data, err := json.MarshalIndent(config(uid, gid), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), append(data, '\n'), 0o644)
}

type object = map[string]any

// config returns the container's configuration for a caller with these ids. A container of root keeps the host's ids;
// that of a plain user gets a user namespace that maps only this user, as root.
func config(uid, gid int) object {
	namespaces := []object{{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}}
	linux := object{
		"maskedPaths":   []string{"/proc/kcore", "/proc/keys", "/proc/sysrq-trigger", "/sys/firmware"},
		"readonlyPaths": []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"},
	}
	terminals := []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}
	if uid == 0 {
		terminals = append(terminals, "gid=5") // In the other case the group tty has no id.
	} else {
		namespaces = append(namespaces, object{"type": "user"})
		linux["uidMappings"] = []object{{"containerID": 0, "hostID": uid, "size": 1}}
		linux["gidMappings"] = []object{{"containerID": 0, "hostID": gid, "size": 1}}
	}
	linux["namespaces"] = namespaces
	capabilities := []string{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"}
	return object{
		"ociVersion": "1.2.0",
		"hostname":   "handfast-demo",
		"root":       object{"path": "rootfs", "readonly": true},
		"process": object{
			"args": []string{"/bin/payload"}, "cwd": "/", "env": []string{"PATH=/bin"},
			"user": object{"uid": 0, "gid": 0}, "noNewPrivileges": true,
			"capabilities": object{"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
		},
		"mounts": []object{
			{"destination": "/proc", "type": "proc", "source": "proc", "options": []string{"nosuid", "noexec", "nodev"}},
			{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "strictatime", "mode=755",
				"size=65536k"}},
			{"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": terminals},
			{"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": []string{"nosuid", "noexec", "nodev",
				"mode=1777", "size=65536k"}},
			{"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
				"options": []string{"nosuid", "noexec", "nodev"}},
			{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": []string{"nosuid", "noexec", "nodev", "ro"}},
		},
		"linux": linux,
	}
}
