// Package view collects what a process sees of itself and its surroundings. The demonstration uses it inside the
// container and outside.
package view

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A View is what one process sees. A part that cannot be read is empty.
type View struct {
	PID          int
	Hostname     string
	UID, GID     int
	UIDMap       string // /proc/self/uid_map with single spaces: "inside outside count"
	Processes    int    // how many /proc shows
	Mounts       []Mount
	Capabilities []string // the effective ones, without "CAP_"
	NoNewPrivs   bool
	Cgroups      []string // the distinct paths over all hierarchies
	Interfaces   []string // each with "up" or "down"
}

// A Mount is one line of /proc/self/mountinfo.
type Mount struct {
	Point, Type string
	ReadOnly    bool
}

// Look collects the view of the calling process.
func Look() View {
	v := View{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid()}
	v.Hostname, _ = os.Hostname()
	v.UIDMap = strings.Join(strings.Fields(read("/proc/self/uid_map")), " ")
	processes, _ := filepath.Glob("/proc/[0-9]*")
	v.Processes = len(processes)
	v.Mounts = ParseMounts(read("/proc/self/mountinfo"))
	v.Capabilities, v.NoNewPrivs = ParseStatus(read("/proc/self/status"))
	v.Cgroups = ParseCgroups(read("/proc/self/cgroup"))
	interfaces, _ := net.Interfaces()
	for _, i := range interfaces {
		state := " down"
		if i.Flags&net.FlagUp != 0 {
			state = " up"
		}
		v.Interfaces = append(v.Interfaces, i.Name+state)
	}
	return v
}

func read(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}

// ParseMounts reads the text of a mountinfo file, proc_pid_mountinfo(5).
func ParseMounts(mountinfo string) []Mount {
	var mounts []Mount
	for line := range strings.Lines(mountinfo) {
		left, right, found := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if found && len(l) > 5 && len(r) > 0 {
			mounts = append(mounts, Mount{Point: l[4], Type: r[0], ReadOnly: l[5] == "ro" || strings.HasPrefix(l[5], "ro,")})
		}
	}
	return mounts
}

// ParseStatus reads the effective capabilities and no_new_privs from the text of /proc/self/status, proc_pid_status(5).
func ParseStatus(status string) (capabilities []string, noNewPrivs bool) {
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		switch key {
		case "NoNewPrivs":
			noNewPrivs = value == "1"
		case "CapEff":
			set, _ := strconv.ParseUint(value, 16, 64)
			for bit := range 64 {
				if set&(1<<bit) != 0 {
					capabilities = append(capabilities, capability(bit))
				}
			}
		}
	}
	return capabilities, noNewPrivs
}

// ParseCgroups returns the distinct paths in the text of /proc/self/cgroup, cgroups(7), in their order.
func ParseCgroups(cgroup string) []string {
	var paths []string
	seen := map[string]bool{}
	for line := range strings.Lines(cgroup) {
		if f := strings.SplitN(strings.TrimSpace(line), ":", 3); len(f) == 3 && !seen[f[2]] {
			seen[f[2]] = true
			paths = append(paths, f[2])
		}
	}
	return paths
}

// capability returns the name of a capability's number, linux/capability.h.
func capability(number int) string {
	names := [...]string{"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
		"SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
		"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
		"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
		"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
		"CHECKPOINT_RESTORE"}
	if number < len(names) {
		return names[number]
	}
	return strconv.Itoa(number)
}
