package lifecycle

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/filtercache"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/seccomp"
	"github.com/handfast/handfast/syncproto/container"
)

// filterDir is the directory of recently compiled filters, below the root directory. It cannot collide with a
// container, because no id contains "@".
const filterDir = "@seccomp"

// makeFilter finds or compiles the filter of the container's processes. It stores only what it has just compiled.
func (c *creation) makeFilter(profile []byte) error {
	if profile == nil {
		return nil
	}
	var err error
	if c.filter, err = c.r.compiled(profile); err != nil || c.filter == nil {
		return err
	}
	needs := neededAtOnce
	if len(c.plan.Spawn.Container.Hooks.StartContainer) > 0 || c.filter.Notify {
		needs = neededByRuntime
	}
	return c.r.addFilter(&c.plan.Spawn.Container.Process, c.filter, needs)
}

// compiled returns the filter of a profile. It takes the filter from the directory of recently compiled ones, or
// compiles it and stores it there. It returns nil for a profile that means no filter.
func (r *Runtime) compiled(profile []byte) (*filtercache.Entry, error) {
	dir := filtercache.At(filepath.Join(r.Root, filterDir))
	mark, merr := filtercache.Compiler()
	if merr == nil {
		e, err := dir.Load(mark, profile)
		if err == nil {
			return e, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			r.Log.Debugf("seccomp: %v: the filter is compiled anew", err)
		}
	}
	p, err := seccomp.Parse(profile)
	if err != nil {
		return nil, err
	}
	program, err := seccomp.Compile(p, seccomp.HostArch())
	if err != nil || program == nil {
		return nil, err
	}
	e := entryOf(program, mark, profile)
	if merr == nil {
		merr = dir.Save(e)
	}
	if merr != nil {
		r.Log.Debugf("seccomp: the compiled filter is not kept: %v", merr)
	}
	return e, nil
}

func entryOf(p *seccomp.Program, mark string, profile []byte) *filtercache.Entry {
	return &filtercache.Entry{
		Compiler: mark, Filter: p.Bytes(), Flags: p.Flags, Notify: p.Notify,
		Path: p.ListenerPath, Metadata: p.ListenerMetadata,
		Skipped: p.Skipped, Profile: profile,
	}
}

// addFilter adds a filter to a process's configuration.
func (r *Runtime) addFilter(p *container.Process, e *filtercache.Entry, needs []string) error {
	for _, name := range e.Skipped {
		r.Log.Debugf("seccomp: no architecture has a system call %s", name)
	}
	flags, err := knownFlags(e.Flags)
	if err != nil {
		return err
	}
	all := flags // as the kernel gets them
	if e.Notify {
		all |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	r.Log.Debugf("seccomp filter flags: %d", all)
	if e.Path != "" && !e.Notify {
		r.Log.Warnf("%s.listenerPath: %q is not used: no rule has SCMP_ACT_NOTIFY", seccomp.Property, e.Path)
	}
	if e.Notify && !hasFlag(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER) {
		return fmt.Errorf("%s: this kernel has no SCMP_ACT_NOTIFY, which came with Linux 5.0", seccomp.Property)
	}
	if err := allows(decodeFilter(e.Filter), needs); err != nil {
		return fmt.Errorf("%s: %w", seccomp.Property, err)
	}
	p.Seccomp = &container.Seccomp{Filter: e.Filter, Flags: flags, Listener: e.Notify}
	return nil
}

// knownFlags returns the flags, or an error if this kernel lacks one of them. It drops SPEC_ALLOW, which profiles
// without flags get by default, where the kernel does not know it: without the flag a filter mitigates more, not
// less.
func knownFlags(flags uint32) (uint32, error) {
	for _, f := range [...]struct {
		bit   uint32
		name  string
		since string
		spare bool
	}{
		{unix.SECCOMP_FILTER_FLAG_LOG, "SECCOMP_FILTER_FLAG_LOG", "4.14", false},
		{unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "4.17", true},
		{waitKillable, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "5.19", false},
	} {
		if flags&f.bit == 0 || hasFlag(f.bit) {
			continue
		}
		if !f.spare {
			return 0, fmt.Errorf("%s.flags: this kernel has no %s, which came with Linux %s", seccomp.Property, f.name,
				f.since)
		}
		flags &^= f.bit
	}
	return flags, nil
}

// waitKillable is SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV of <linux/seccomp.h>.
const waitKillable = 1 << 5

// hasFlag reports whether the kernel knows a flag. seccomp(2) checks the flags before it looks at the filter, and
// there is no filter here, so an unknown flag fails with EINVAL and a known one with EFAULT.
func hasFlag(bit uint32) bool {
	if bit == waitKillable {
		bit |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER // the flag requires this one, else it is EINVAL too
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(bit), 0)
	return errno == unix.EFAULT
}

// keepFilter stores the container's filter beside its state, for the processes that join it.
func (c *creation) keepFilter() error {
	if c.filter == nil {
		return nil
	}
	return filtercache.Write(c.dir.Path(state.FilterFile), c.filter)
}

// filterWord returns the value of State.Seccomp for a filter.
func filterWord(e *filtercache.Entry) string {
	switch {
	case e == nil:
		return ""
	case e.Notify:
		return state.SeccompListener
	}
	return state.SeccompFilter
}

// keptFilter returns the filter of an existing container, or nil if it has none. It is an error if the filter cannot
// be read: nothing may run in the container without it.
func (r *Runtime) keptFilter(s *state.State) (*filtercache.Entry, error) {
	if s.Seccomp == "" {
		return nil, nil
	}
	e, err := filtercache.Read(filepath.Join(r.Root, s.ID, state.FilterFile))
	if err == nil && filterWord(e) != s.Seccomp {
		err = errors.New("it is not the one that the state tells of")
	}
	if err != nil {
		return nil, fmt.Errorf("container %s: its seccomp filter: %w", s.ID, err)
	}
	return e, nil
}

// Profile returns linux.seccomp as it was when the container was made, or nil if the container has no filter.
func (r *Runtime) Profile(id string) ([]byte, error) {
	s, err := r.store().Load(id)
	if err != nil {
		return nil, err
	}
	e, err := r.keptFilter(s)
	if e == nil || err != nil {
		return nil, err
	}
	return e.Profile, nil
}
