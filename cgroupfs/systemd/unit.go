package systemd

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Unit is the unit that holds a container: a scope, or a slice if its name ends in ".slice".
type Unit struct {
	Slice string // the slice that it is in, "-.slice" for the root
	Name  string // with its suffix
	Sub   string // one group below the unit's own that the container's processes are in; empty: they are in the unit's
}

// The default slices, systemd.special(7): of the system's manager, and of a user's.
const (
	systemSlice = "system.slice"
	userSlice   = "user.slice"
	rootSlice   = "-.slice"
)

const (
	sliceSuffix = ".slice"
	scopeSuffix = ".scope"
)

// maxName is the longest name of a unit in bytes (src/basic/unit-name.h, UNIT_NAME_MAX).
const maxName = 255

// Parse parses cgroupsPath in systemd's form, slice:prefix:name. The unit is the scope prefix-name.scope, or name.scope
// without a prefix; a name that ends in ".slice" is a slice itself. Without a slice the unit is in system.slice, or for
// a user's manager in user.slice. An empty path is the scope handfast-ID.scope there. Every part is checked; the error
// wraps EINVAL.
func Parse(cgroupsPath, id string, user bool) (Unit, error) {
	slice, prefix, name := "", "handfast", escape(id)
	if cgroupsPath != "" {
		parts := strings.Split(cgroupsPath, ":")
		if len(parts) != 3 || strings.Contains(cgroupsPath, "/") {
			return Unit{}, invalid("expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got %q",
				cgroupsPath)
		}
		slice, prefix, name = parts[0], parts[1], parts[2]
	}
	u := Unit{Slice: slice, Name: name + scopeSuffix}
	if prefix != "" {
		u.Name = prefix + "-" + u.Name
	}
	if strings.HasSuffix(name, sliceSuffix) {
		return u.ofSlice(slice, name)
	}
	if u.Slice == "" {
		u.Slice = systemSlice
		if user {
			u.Slice = userSlice
		}
	}
	if name == "" {
		return Unit{}, invalid("cgroupsPath %q: the name is empty", cgroupsPath)
	}
	if err := checkName(u.Name); err != nil {
		return Unit{}, err
	}
	_, err := expand(u.Slice)
	return u, err
}

// ofSlice returns a unit that is itself a slice. systemd derives the parent of a slice from its name
// (systemd.slice(5)).
func (u Unit) ofSlice(slice, name string) (Unit, error) {
	all, err := expand(name)
	if err != nil {
		return Unit{}, err
	}
	if len(all) == 0 {
		return Unit{}, invalid("slice %q: the root slice cannot be a container's", name)
	}
	u.Name, u.Slice = name, rootSlice
	if len(all) > 1 {
		u.Slice = all[len(all)-2]
	}
	if slice != "" && slice != u.Slice {
		return Unit{}, invalid("slice %q: it is in %s by its name, not in %s", name, u.Slice, slice)
	}
	return u, nil
}

// isSlice reports whether the unit is a slice, which systemd puts no processes into.
func (u Unit) isSlice() bool { return strings.HasSuffix(u.Name, sliceSuffix) }

// Path returns the path of the unit's group below the root of every hierarchy. base is that of its manager, see
// Manager.Base.
func (u Unit) Path(base string) (string, error) {
	all, err := expand(u.Slice)
	if err != nil {
		return "", err
	}
	p := strings.TrimSuffix(base, "/")
	for _, s := range append(all, u.Name) {
		p += "/" + groupName(s)
	}
	return p, nil
}

// expand returns a slice and those that contain it, the outermost first, by its name: a-b-c.slice is in a-b.slice, and
// that in a.slice (systemd.slice(5)). The root slice is left out.
func expand(slice string) ([]string, error) {
	if slice == rootSlice {
		return nil, nil
	}
	name, ok := strings.CutSuffix(slice, sliceSuffix)
	if !ok {
		return nil, invalid("slice %q: it does not end in %s", slice, sliceSuffix)
	}
	if err := checkName(slice); err != nil {
		return nil, err
	}
	var all []string
	parts := strings.Split(name, "-")
	for i, p := range parts {
		if p == "" {
			return nil, invalid("slice %q: there is an empty part beside a dash", slice)
		}
		all = append(all, strings.Join(parts[:i+1], "-")+sliceSuffix)
	}
	return all, nil
}

func checkName(name string) error {
	if len(name) > maxName {
		return invalid("unit name %q: %d bytes; want at most %d", name, len(name), maxName)
	}
	for i := range len(name) {
		if !valid(name[i]) && name[i] != '\\' {
			return invalid("unit name %q: %q is not allowed in it", name, name[i:i+1])
		}
	}
	return nil
}

// valid holds the bytes that are allowed in a unit's name (src/basic/unit-name.c, VALID_CHARS), without the backslash
// of an escape and without "@", because an instance of a template is not a transient unit.
func valid(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte(":-_.", c) >= 0
}

// escape escapes what is not allowed in a unit's name, as systemd-escape(1) does.
func escape(id string) string {
	var b strings.Builder
	for i := range len(id) {
		if valid(id[i]) {
			b.WriteByte(id[i])
		} else {
			fmt.Fprintf(&b, `\x%02x`, id[i])
		}
	}
	return b.String()
}

// groupName returns the directory of a unit: a name that a control file could have gets an underscore before it
// (src/basic/cgroup-util.c, cg_needs_escape).
func groupName(unit string) string {
	first, _, _ := strings.Cut(unit, ".")
	reserved := []string{"cgroup", "cpu", "cpuacct", "cpuset", "io", "blkio", "memory", "devices", "pids", "bpf-firewall",
		"bpf-devices", "bpf-foreign", "bpf-socket-bind", "bpf-restrict-network-interfaces"}
	if unit == "notify_on_release" || unit == "release_agent" || unit == "tasks" || strings.HasPrefix(unit, "_") ||
		strings.HasPrefix(unit, ".") || slices.Contains(reserved, first) {
		return "_" + unit
	}
	return unit
}

// Below returns the unit with its processes in the group sub below its own. sub is a single name. The error wraps
// EINVAL.
func (u Unit) Below(sub string) (Unit, error) {
	u.Sub = sub
	return u, checkSub(sub)
}

// checkSub checks that sub is the name of a group.
func checkSub(sub string) error {
	if strings.ContainsAny(sub, "/\x00") || strings.HasPrefix(sub, ".") || sub != groupName(sub) || len(sub) > maxName {
		return invalid("group %q below the unit: want a single name that no control file has", sub)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), unix.EINVAL)
}
