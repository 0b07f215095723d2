package oci

import (
	"fmt"
	"strings"

	"github.com/handfast/handfast/syncproto/container"
)

// capabilityNames are the names in <linux/capability.h>, indexed by number.
var capabilityNames = [...]string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
	"LINUX_IMMUTABLE",
	"NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO",
	"SYS_CHROOT", "SYS_PTRACE",
	"SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
	"AUDIT_WRITE",
	"AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
	"PERFMON", "BPF", "CHECKPOINT_RESTORE",
}

// capabilities converts the five sets to masks. A process without the property has no capabilities. An unknown
// name is left out with a warning, because that can only take a right away.
func (c *planner) capabilities(in *Capabilities) {
	if in == nil {
		return
	}
	out := &c.cfg.Process.Capabilities
	*out = container.Capabilities{
		Bounding:    c.mask("bounding", in.Bounding),
		Effective:   c.mask("effective", in.Effective),
		Permitted:   c.mask("permitted", in.Permitted),
		Inheritable: c.mask("inheritable", in.Inheritable),
		Ambient:     c.mask("ambient", in.Ambient),
	}
	c.raisable(out, c.lacking(out))
}

// raisable removes ambient capabilities that the kernel would refuse (capabilities(7): they must be permitted and
// inheritable), and warns in runc's words. It does not warn about those in said, which an earlier warning has
// named. Managers that no longer set inheritable capabilities but still list ambient ones do not depend on them,
// so they get no warning at every start.
func (c *planner) raisable(out *container.Capabilities, said uint64) {
	if out.Inheritable == 0 {
		return
	}
	left := out.Permitted & out.Inheritable
	for refused := out.Ambient &^ left &^ said; refused != 0; refused &= refused - 1 {
		c.warn("process.capabilities.ambient: can't raise ambient capability " + names(refused&-refused) +
			": it must be permitted and inheritable too")
	}
	out.Ambient &= left
}

// HostCapabilities are the caller's own sets (capabilities(7)), as masks. In Bounding, only the capabilities that
// the process's own bounding set names matter.
type HostCapabilities struct{ Permitted, Inheritable, Bounding uint64 }

// lacking removes the capabilities that the caller cannot give, warns about them, and returns them. In a new user
// namespace a process has all capabilities.
func (c *planner) lacking(out *container.Capabilities) uint64 {
	have := c.opt.Host.Capabilities
	if have == nil || c.has(container.NSUser) {
		return 0
	}
	asked := *out
	out.Bounding &= have.Bounding
	out.Permitted &= have.Permitted
	out.Effective &= out.Permitted
	out.Inheritable &= have.Inheritable | have.Permitted&out.Bounding
	lacks := asked.Bounding&^have.Bounding | (asked.Permitted|asked.Inheritable&^have.Inheritable)&^have.Permitted
	if lacks != 0 {
		c.warn("process.capabilities: " + names(lacks) + " left out, which the caller itself lacks")
	}
	if rest := asked.Inheritable &^ out.Inheritable &^ lacks; rest != 0 {
		c.warn("process.capabilities.inheritable: " + names(rest) + " left out, for it is not in the bounding set")
		lacks |= rest
	}
	return lacks
}

// names returns the names of the capabilities in a mask.
func names(mask uint64) string {
	var all []string
	for n, name := range capabilityNames {
		if mask&(1<<n) != 0 {
			all = append(all, "CAP_"+name)
		}
	}
	return strings.Join(all, ", ")
}

func (c *planner) mask(set string, names []string) uint64 {
	var m uint64
	for i, name := range names {
		n := CapabilityNumber(name)
		if n < 0 {
			c.warn(fmt.Sprintf("process.capabilities.%s[%d]: %q is not known and left out", set, i, name))
			continue
		}
		m |= 1 << n
	}
	return m
}

// CapabilityNumber returns the number of a capability such as CAP_KILL, or -1 if the name is unknown.
func CapabilityNumber(name string) int {
	short, found := strings.CutPrefix(name, "CAP_")
	if !found {
		return -1
	}
	for i, n := range capabilityNames {
		if n == short {
			return i
		}
	}
	return -1
}
