package nsinit

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// landlockStep restricts the program to what Landlock rules allow.
type landlockStep struct{ rules *container.Landlock }

func (landlockStep) stage() stage      { return stageLandlock }
func (s landlockStep) detail() string  { return describeLandlock(s.rules) }
func (landlockStep) do(c *child) error { return c.landlock() }

// landlock applies Landlock rules to this thread, and so to the program. The step comes before the change of the
// user, because a process without CAP_SYS_ADMIN needs no_new_privs for it. After this step, this process opens no
// files and makes no mounts.
func (c *child) landlock() error {
	l := c.cfg.Process.Landlock
	attr := unix.LandlockRulesetAttr{Handled_access_fs: l.FS, Handled_access_net: l.Net, Scoped: l.Scoped}
	ruleset, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)),
		rulesetSize(l), 0)
	if errno != 0 {
		return op("landlock_create_ruleset", "", explainLandlock(errno))
	}
	defer sys.Close(int(ruleset))
	for _, p := range l.Paths {
		if err := c.allowPath(int(ruleset), p); err != nil {
			return err
		}
	}
	for _, p := range l.Ports {
		rule := struct{ access, port uint64 }{p.Access, uint64(p.Port)} // struct landlock_net_port_attr
		const netPort = 2                                               // LANDLOCK_RULE_NET_PORT of <linux/landlock.h>
		if err := addRule(int(ruleset), netPort, unsafe.Pointer(&rule)); err != nil {
			return op("landlock_add_rule", fmt.Sprintf("port %d", p.Port), err)
		}
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0); errno != 0 {
		return op("landlock_restrict_self", "", errno)
	}
	return nil
}

// rulesetSize returns the size of the part of struct landlock_ruleset_attr that is in use. A kernel that knows only
// that part refuses a longer struct.
func rulesetSize(l *container.Landlock) uintptr {
	switch {
	case l.Scoped != 0:
		return 24
	case l.Net != 0:
		return 16
	}
	return 8
}

// allowPath adds the rule for one path. If the path no longer exists in a container when another process joins it,
// there is nothing to allow.
func (c *child) allowPath(ruleset int, p container.LandlockPath) error {
	fd, err := c.root.Path(p.Path)
	if err != nil {
		if len(c.cfg.Root.Path) == 0 && (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)) {
			return nil
		}
		return err
	}
	defer sys.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return op("fstat", p.Path, err)
	}
	access := p.Access
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= fileAccesses
	}
	if access == 0 {
		return op("landlock_add_rule", p.Path,
			fmt.Errorf("it is no directory, and has none of the accesses %#x: %w", p.Access, unix.ENOTDIR))
	}
	// struct landlock_path_beneath_attr, which is packed
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	return op("landlock_add_rule", p.Path, addRule(ruleset, unix.LANDLOCK_RULE_PATH_BENEATH, unsafe.Pointer(&rule)))
}

func addRule(ruleset, kind int, rule unsafe.Pointer) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), uintptr(kind), uintptr(rule), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func explainLandlock(errno unix.Errno) error {
	switch errno {
	case unix.ENOSYS, unix.EOPNOTSUPP:
		return fmt.Errorf("%w (Landlock is not in force on this kernel)", errno)
	case unix.EINVAL, unix.E2BIG:
		return fmt.Errorf("%w (this kernel does not know all of these accesses)", errno)
	}
	return errno
}

// parentDeathStep requests that the kernel send the program a signal when its parent ends, prctl(2). It comes after
// the change of the user, which would clear the setting, and behind the gate, where the parent is whichever process
// has adopted this one.
type parentDeathStep struct{ signal int }

func (parentDeathStep) stage() stage     { return stageParentDeath }
func (s parentDeathStep) detail() string { return fmt.Sprint("signal ", s.signal) }

func (s parentDeathStep) do(c *child) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(s.signal), 0, 0, 0); err != nil {
		return op("prctl PR_SET_PDEATHSIG", fmt.Sprint(s.signal), err)
	}
	return c.parentIsThere()
}
