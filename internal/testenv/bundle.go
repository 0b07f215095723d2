package testenv

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Bundle creates a bundle directory whose config.json runs /bin/true on the given root filesystem as root, with its own
// pid, mount, ipc, uts and network namespaces, the usual mounts, a cgroup below CgroupParent, no seccomp filter and no
// resource limits. mutate, if not nil, changes the decoded configuration in place before it is written: objects are
// map[string]any, arrays []any. The directory is removed with the test.
func Bundle(t testing.TB, rootfs string, mutate func(config map[string]any)) string {
	t.Helper()
	dir := Dir(t)
	config := Config(rootfs, ID(t))
	if mutate != nil {
		mutate(config)
	}
	data, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Config returns the configuration with which Bundle starts, with the given root path and a cgroup named id.
func Config(rootfs, id string) map[string]any {
	return map[string]any{
		"ociVersion": "1.2.0",
		"hostname":   "handfast-test",
		"root":       map[string]any{"path": rootfs},
		"process": map[string]any{
			"args":            []any{"/bin/true"},
			"cwd":             "/",
			"env":             []any{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
			"user":            map[string]any{"uid": 0, "gid": 0},
			"noNewPrivileges": true,
			"capabilities":    capabilities("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"),
		},
		"mounts": mounts(),
		"linux": map[string]any{
			"cgroupsPath": CgroupParent() + "/" + id,
			"namespaces":  namespaces("pid", "mount", "ipc", "uts", "network"),
			"maskedPaths": []any{"/proc/kcore", "/proc/keys", "/proc/sysrq-trigger", "/sys/firmware"},
			"readonlyPaths": []any{
				"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
			},
		},
	}
}

// SetArgs replaces the command line of a configuration from Config.
func SetArgs(config map[string]any, args ...string) {
	config["process"].(map[string]any)["args"] = list(args)
}

// MapIDs adds a user namespace to a configuration from Config. Its ids 0 to size-1 are the host's hostID to
// hostID+size-1, for users and groups.
func MapIDs(config map[string]any, hostID, size int) {
	linux := config["linux"].(map[string]any)
	linux["namespaces"] = append(linux["namespaces"].([]any), map[string]any{"type": "user"})
	for _, key := range []string{"uidMappings", "gidMappings"} {
		linux[key] = []any{map[string]any{"containerID": 0, "hostID": hostID, "size": size}}
	}
}

func namespaces(types ...string) []any {
	all := make([]any, 0, len(types))
	for _, t := range types {
		all = append(all, map[string]any{"type": t})
	}
	return all
}

func capabilities(names ...string) map[string]any {
	return map[string]any{"bounding": list(names), "effective": list(names), "permitted": list(names)}
}

func mounts() []any {
	mount := func(destination, kind, source string, options ...string) any {
		return map[string]any{"destination": destination, "type": kind, "source": source, "options": list(options)}
	}
	return []any{
		mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
		mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
		mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
		mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
		mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
		mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
	}
}

func list(items []string) []any {
	all := make([]any, 0, len(items))
	for _, item := range items {
		all = append(all, item)
	}
	return all
}
