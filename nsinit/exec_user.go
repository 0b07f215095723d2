package nsinit

import (
	"fmt"
	"path"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// userStep changes the user to uid:gid and the working directory to cwd.
type userStep struct {
	cwd      string
	uid, gid uint32
}

func (userStep) stage() stage        { return stageUser }
func (s userStep) detail() string    { return fmt.Sprintf("%s %d:%d", s.cwd, s.uid, s.gid) }
func (s userStep) do(c *child) error { return c.become(s.cwd) }

// become changes the user: groups and IDs, capabilities, no_new_privs, umask and working directory, in the order
// that capabilities(7) requires. The raw system calls change only this thread. That is enough, because the thread
// is locked and the execution ends all others.
func (c *child) become(cwd string) error {
	p := &c.cfg.Process
	c.release()
	caps := known(p.Capabilities)
	// Some directories can be entered only by the user, others only by root: one of the two attempts must succeed.
	late := unix.Chdir(cwd) != nil
	if err := dropBounding(caps.Bounding); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return op("prctl PR_SET_KEEPCAPS", "", err)
	}
	if err := setIDs(p, p.KeepGroups || c.cfg.SetGroupsDenied); err != nil {
		return err
	}
	if late {
		if err := unix.Chdir(cwd); err != nil {
			return op("chdir", cwd, err)
		}
	}
	if err := insideRoot(cwd); err != nil {
		return err
	}
	keep := uint64(0)
	if p.Seccomp != nil && !p.NoNewPrivs {
		keep = 1 << unix.CAP_SYS_ADMIN // to load the filter, see exec_seccomp.go
	}
	if err := setCapabilities(caps, keep); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 0, 0, 0, 0); err != nil {
		return op("prctl PR_SET_KEEPCAPS", "", err)
	}
	if p.NoNewPrivs {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return op("prctl PR_SET_NO_NEW_PRIVS", "", err)
		}
	}
	umask := defaultUmask
	if p.Umask != nil {
		umask = int(*p.Umask)
	}
	unix.Umask(umask)
	return nil
}

// release closes what the setup has opened, so that no path in the configuration can name it through procfs
// (CVE-2024-21626). What stays open is the socket, the gate, and the output of startContainer hooks.
func (c *child) release() {
	c.root.Close()
	if c.empty != 0 {
		sys.Close(c.empty)
	}
	if c.nullFD != 0 {
		sys.Close(c.nullFD)
	}
	for i, fd := range c.fds {
		hooks := &c.cfg.Hooks
		if i+1 != c.cfg.GateFD && (len(hooks.StartContainer) == 0 || i+1 != hooks.StdoutFD && i+1 != hooks.StderrFD) {
			sys.Close(fd)
		}
	}
}

// insideRoot refuses a working directory that has no path from the root. A procfs link to a descriptor of the host
// leads to such a directory (CVE-2024-21626).
func insideRoot(cwd string) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Getcwd(buf)
	if err != nil {
		return op("getcwd", cwd, err)
	}
	if n < 1 || !path.IsAbs(string(buf[:n-1])) {
		return outsideError(cwd)
	}
	return nil
}

func outsideError(cwd string) error {
	return fmt.Errorf("working directory %s is outside the container: %w", cwd, unix.EPERM)
}

// defaultUmask is the program's umask if the configuration does not set one. The parent's own would be arbitrary.
const defaultUmask = 0o022

// setIDs sets the groups and IDs. Without keepGroups, the process has exactly the supplementary groups of the
// configuration: those of the parent give access to files that are not the container's.
func setIDs(p *container.Process, keepGroups bool) error {
	if !keepGroups {
		gids := p.AdditionalGIDs
		_, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(gids)),
			uintptr(unsafe.Pointer(unsafe.SliceData(gids))), 0)
		if errno != 0 {
			return op("setgroups", fmt.Sprint(gids), errno)
		}
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(p.GID), uintptr(p.GID), uintptr(p.GID)); errno != 0 {
		return op("setresgid", fmt.Sprint(p.GID), errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(p.UID), uintptr(p.UID), uintptr(p.UID)); errno != 0 {
		return op("setresuid", fmt.Sprint(p.UID), errno)
	}
	return nil
}

// known returns the capabilities that this kernel has. Requesting any other capability is not an error, but has no
// effect.
func known(c container.Capabilities) container.Capabilities {
	last := uint64(0)
	for n := range 63 {
		// PR_CAPBSET_READ returns EINVAL beyond the last capability, prctl(2).
		if r, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0); err != nil || r < 0 {
			break
		}
		last = last<<1 | 1
	}
	return container.Capabilities{
		Bounding: c.Bounding & last, Effective: c.Effective & last, Permitted: c.Permitted & last,
		Inheritable: c.Inheritable & last, Ambient: c.Ambient & last,
	}
}

func dropBounding(keep uint64) error {
	for n := range 63 {
		if keep&(1<<n) != 0 {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(n), 0, 0, 0)
		if err == unix.EINVAL {
			return nil // beyond the last capability
		}
		if err != nil {
			return op("prctl PR_CAPBSET_DROP", fmt.Sprint(n), err)
		}
	}
	return nil
}

// setCapabilities sets the three capability sets of the thread, capset(2), and the ambient set. Capabilities that
// this process does not have cannot be given and are left out. The capabilities in keep also stay permitted, but
// not effective.
func setCapabilities(want container.Capabilities, keep uint64) error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&head, &have[0]); err != nil {
		return op("capget", "", err)
	}
	inherited := mask(have, func(d unix.CapUserData) uint32 { return d.Inheritable })
	// capset(2), kernel security/commoncap.c cap_capset: a capability that is new in the inheritable set must be in
	// the bounding set. For a thread without CAP_SETPCAP in its effective set, as after a change of the user, it
	// must also be in the permitted set.
	held := mask(have, func(d unix.CapUserData) uint32 { return d.Permitted })
	permitted := want.Permitted & held
	inheritable := want.Inheritable & (inherited | bounding()&held)
	sets := [3]uint64{want.Effective & permitted, permitted, inheritable}
	kept := permitted | keep&held
	data := [2]unix.CapUserData{
		{Effective: uint32(sets[0]), Permitted: uint32(kept), Inheritable: uint32(sets[2])},
		{Effective: uint32(sets[0] >> 32), Permitted: uint32(kept >> 32), Inheritable: uint32(sets[2] >> 32)},
	}
	head.Pid = 0
	if err := unix.Capset(&head, &data[0]); err != nil {
		return op("capset", "", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return op("prctl PR_CAP_AMBIENT_CLEAR_ALL", "", err)
	}
	for n := range 63 {
		// An ambient capability must be both permitted and inheritable, capabilities(7).
		if want.Ambient&sets[1]&sets[2]&(1<<n) == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(n), 0, 0); err != nil {
			return op("prctl PR_CAP_AMBIENT_RAISE", fmt.Sprint(n), err)
		}
	}
	return nil
}

// bounding returns the bounding set of this thread.
func bounding() (set uint64) {
	for n := range 63 {
		r, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0)
		if err != nil {
			break // beyond the last capability
		}
		set |= uint64(r&1) << n
	}
	return set
}

func mask(d [2]unix.CapUserData, f func(unix.CapUserData) uint32) uint64 {
	return uint64(f(d[0])) | uint64(f(d[1]))<<32
}
