package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oci"
)

// Info describes what the runtime finds on a host, for people who look for what is missing, and for reports.
type Info struct {
	Version      string          `json:"version"`
	Commit       string          `json:"commit"`
	Spec         string          `json:"spec"`
	Root         string          `json:"root"`
	User         uint32          `json:"user"` // effective
	Kernel       string          `json:"kernel"`
	Machine      string          `json:"machine"`
	Processors   int             `json:"processors"`
	Memory       uint64          `json:"memory"` // bytes
	CgroupMode   string          `json:"cgroupMode"`
	Hierarchies  []InfoHierarchy `json:"hierarchies"`
	Namespaces   []string        `json:"namespaces"`   // that this kernel has
	SeccompFlags []string        `json:"seccompFlags"` // that this kernel knows
	LSM          []string        `json:"lsm"`          // active security modules, in their order
	Unprivileged bool            `json:"unprivileged"` // plain users may make user namespaces
	Filesystems  []string        `json:"filesystems"`  // that can be mounted without a device
	Resctrl      string          `json:"resctrlMount"` // of intelRdt; empty: none
	Containers   int             `json:"containers"`   // below Root, damaged ones included
}

// InfoHierarchy is one mounted hierarchy of control groups in an Info.
type InfoHierarchy struct {
	Mountpoint  string   `json:"mountpoint"`
	Version     int      `json:"version"`
	Controllers []string `json:"controllers"`
}

// Info inspects the host. Fields that cannot be read are left empty.
func (r *Runtime) Info() (*Info, error) {
	layout, err := r.host()
	if err != nil {
		return nil, err
	}
	entries, err := r.store().List()
	if err != nil {
		return nil, err
	}
	f := &Info{
		Spec: oci.Version, Root: r.Root, User: uint32(os.Geteuid()), Machine: goruntime.GOARCH,
		Processors: goruntime.NumCPU(), Memory: hostMemory(),
		CgroupMode: layout.Mode().String(), SeccompFlags: supportedFlags(), Containers: len(entries),
		LSM:         strings.FieldsFunc(line("/sys/kernel/security/lsm"), func(c rune) bool { return c == ',' }),
		Filesystems: nodevFilesystems(text("/proc/filesystems")), Resctrl: resctrlMount(text("/proc/self/mountinfo")),
	}
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		f.Kernel = unix.ByteSliceToString(uts.Release[:])
	}
	for _, h := range layout.Hierarchies {
		one := InfoHierarchy{Mountpoint: h.Mountpoint, Version: 1, Controllers: h.Controllers}
		if h.V2 {
			one.Version, one.Controllers = 2, h.Available
		} else if len(h.Controllers) == 0 {
			one.Controllers = []string{h.Name}
		}
		f.Hierarchies = append(f.Hierarchies, one)
	}
	for _, kind := range oci.KnownFeatures().Linux.Namespaces {
		if _, err := os.Lstat(filepath.Join("/proc/self/ns", namespaceFile(kind))); err == nil {
			f.Namespaces = append(f.Namespaces, kind)
		}
	}
	f.Unprivileged = slices.Contains(f.Namespaces, "user") && line("/proc/sys/user/max_user_namespaces") != "0" &&
		line("/proc/sys/kernel/unprivileged_userns_clone") != "0" &&
		line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") != "1"
	return f, nil
}

// hostMemory returns the memory of the machine in bytes, or 0 if that is not known.
func hostMemory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return uint64(info.Totalram) * uint64(info.Unit)
}

// namespaceFile returns a namespace's file name below /proc/PID/ns.
func namespaceFile(kind string) string {
	switch kind {
	case "mount":
		return "mnt"
	case "network":
		return "net"
	}
	return kind
}

// Text returns one line for each fact.
func (f *Info) Text() string {
	var b strings.Builder
	add := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s %s\n", name+":", fmt.Sprintf(format, args...))
	}
	add("version", "%s", f.Version)
	add("commit", "%s", f.Commit)
	add("spec", "%s", f.Spec)
	add("root", "%s (%d containers)", f.Root, f.Containers)
	add("user", "%d", f.User)
	add("kernel", "%s %s", f.Kernel, f.Machine)
	add("processors", "%d", f.Processors)
	add("memory", "%d MiB", f.Memory>>20)
	add("cgroups", "%s", f.CgroupMode)
	for _, h := range f.Hierarchies {
		add("  v"+fmt.Sprint(h.Version), "%s (%s)", h.Mountpoint, orNone(h.Controllers))
	}
	add("namespaces", "%s", orNone(f.Namespaces))
	add("seccomp", "%s", orNone(f.SeccompFlags))
	add("lsm", "%s", orNone(f.LSM))
	add("rootless", "%t", f.Unprivileged)
	add("filesystems", "%s", orNone(f.Filesystems))
	resctrl := f.Resctrl
	if resctrl == "" {
		resctrl = "not mounted"
	}
	add("resctrl", "%s", resctrl)
	return b.String()
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, " ")
}

// text returns the contents of a small file of the kernel, or "" if it cannot be read.
func text(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}

func line(path string) string { return strings.TrimSpace(text(path)) }

// nodevFilesystems returns the file systems of proc_filesystems(5) that need no block device, which a configuration
// may mount.
func nodevFilesystems(list string) []string {
	var all []string
	for l := range strings.Lines(list) {
		if kind, name, ok := strings.Cut(strings.TrimSuffix(l, "\n"), "\t"); ok && kind == "nodev" {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// resctrlMount returns where the resctrl file system is mounted, according to proc_pid_mountinfo(5).
func resctrlMount(list string) string {
	for l := range strings.Lines(list) {
		before, after, ok := strings.Cut(l, " - ")
		if f := strings.Fields(before); ok && len(f) > 4 && strings.HasPrefix(after, "resctrl ") {
			return f[4]
		}
	}
	return ""
}
