package lifecycle

import (
	"bytes"
	"os"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oci"
)

// labelFacts determines whether the security modules are active for which the process or the mounts have labels,
// and which capabilities this process could pass on.
func labelFacts(host *oci.Host, p *oci.Process, mountLabel string) {
	if mountLabel != "" {
		host.SELinux = selinux()
	}
	if p == nil {
		return
	}
	if p.Capabilities != nil {
		host.Capabilities = capabilities(p.Capabilities.Bounding)
	}
	if p.ApparmorProfile != "" {
		data, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
		host.AppArmor = err == nil && bytes.HasPrefix(data, []byte("Y"))
	}
	if p.SelinuxLabel != "" {
		host.SELinux = selinux()
	}
}

// selinux reports whether SELinux is active.
func selinux() bool {
	var st unix.Statfs_t
	return unix.Statfs("/sys/fs/selinux", &st) == nil && uint32(st.Type) == unix.SELINUX_MAGIC
}

// landlockABI returns the version of Landlock that is active, or 0 if there is none.
func landlockABI() int {
	abi, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(abi)
}

// capabilities returns this process's own sets, or nil if the kernel does not tell. Of the bounding set it looks
// only at the named capabilities, because each takes a system call.
func capabilities(named []string) *oci.HostCapabilities {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if unix.Capget(&head, &sets[0]) != nil {
		return nil
	}
	out := &oci.HostCapabilities{
		Permitted:   uint64(sets[0].Permitted) | uint64(sets[1].Permitted)<<32,
		Inheritable: uint64(sets[0].Inheritable) | uint64(sets[1].Inheritable)<<32,
	}
	for _, name := range named {
		n := oci.CapabilityNumber(name)
		if n < 0 {
			continue
		}
		// EINVAL means that this kernel does not know the capability.
		if r, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0); err == nil {
			out.Bounding |= uint64(r&1) << n
		}
	}
	return out
}
