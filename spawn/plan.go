package spawn

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// plan says how to make a child, as a value: what Start passes to clone(2) and execve(2), and what the thread does
// before.
type plan struct {
	Argv       []string     // of the child's program
	Env        []string     // nothing of the caller's environment reaches the child
	Profile    string       // of the conversation: "init" or "setns"
	SocketFD   int          // number of the handshake socket in the child
	Cloneflags uintptr      // the new namespaces that clone(2) makes
	Thread     []threadStep // what the cloning thread does first; if anything, the thread ends afterwards
	Joins      []join       // what the child joins before its execution, while it has a single thread
	Chroot     bool         // the child takes the target's root directory as its own
	Helpers    bool         // newuidmap(1) and newgidmap(1) write the mappings
	Time       *string      // the child makes a time namespace, owned by its new user namespace, with these offsets
	// the child executes with different real and effective group ids, so that it cannot be traced from its first
	// instruction on
	Hidden     bool
	UIDMap     []syscall.SysProcIDMap
	GIDMap     []syscall.SysProcIDMap
	SetGroups  bool                  // setgroups(2) stays allowed in the new user namespace
	KeepGroups bool                  // there the child still has the parent's groups
	Namespaces []container.Namespace // as in CONFIG
	Loopback   bool
}

// threadStep is a change that the cloning thread makes to itself, for the child to inherit.
type threadStep struct {
	Kind    string // of the namespace
	Path    string // setns(2) into this one; empty: unshare(2) a new one
	Offsets string // time: what is written to the thread's timens_offsets
}

// noPreemption is in the environment of a child that may load a filter: the handler of the signal by which the Go
// runtime preempts a thread returns with a system call that the filter may not allow.
const noPreemption = "GODEBUG=asyncpreemptoff=1"

// cloneFlag returns the CLONE_NEW* flag of a namespace kind, zero for an unknown kind.
func cloneFlag(kind string) uintptr {
	switch kind {
	case container.NSPid:
		return unix.CLONE_NEWPID
	case container.NSNetwork:
		return unix.CLONE_NEWNET
	case container.NSMount:
		return unix.CLONE_NEWNS
	case container.NSIPC:
		return unix.CLONE_NEWIPC
	case container.NSUTS:
		return unix.CLONE_NEWUTS
	case container.NSUser:
		return unix.CLONE_NEWUSER
	case container.NSCgroup:
		return unix.CLONE_NEWCGROUP
	case container.NSTime:
		return unix.CLONE_NEWTIME
	}
	return 0
}

// planOf decides how to make the child of cfg. It is pure. privileged says whether the caller may write any id
// mapping (CAP_SETUID and CAP_SETGID), which decides whether setgroups(2) can stay allowed.
func planOf(cfg *Config, privileged bool) (*plan, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	p := &plan{SocketFD: 3 + cfg.PreserveFDs, Profile: profileInit}
	if cfg.Target != nil {
		p.Profile = profileSetns
	}
	p.Argv = []string{"handfast", p.Profile}
	// One processor is enough for the child's few milliseconds; the variable saves the Go runtime from preparing for more.
	p.Env = []string{container.SocketVariable + "=" + strconv.Itoa(p.SocketFD), "GOMAXPROCS=1"}
	if cfg.Container.Process.Seccomp != nil {
		p.Env = append(p.Env, noPreemption)
	}
	if len(cfg.Init) > 0 {
		if !filepath.IsAbs(cfg.Init[0]) {
			return nil, fmt.Errorf("init %q: want an absolute path", cfg.Init[0])
		}
		p.Argv = slices.Clone(cfg.Init)
	}
	if cfg.Target != nil {
		return p, p.planTarget(cfg, privileged)
	}
	for i, ns := range cfg.Namespaces {
		if err := p.planNamespace(cfg, ns); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(cfg.Namespaces[:i], func(o Namespace) bool { return o.Kind == ns.Kind }) {
			return nil, fmt.Errorf("namespace %q occurs twice", ns.Kind)
		}
	}
	if err := p.planMappings(cfg, privileged); err != nil {
		return nil, err
	}
	return p, p.planJoins(cfg)
}

// planNamespace decides where a namespace is made or joined: by clone(2), by the cloning thread, or by the child.
func (p *plan) planNamespace(cfg *Config, ns Namespace) error {
	flag := cloneFlag(ns.Kind)
	told := container.Namespace{Kind: ns.Kind, How: container.NSCreated}
	switch {
	case flag == 0:
		return fmt.Errorf("namespace %q is not a kind of namespace", ns.Kind)
	case ns.Path == "" && ns.Kind == container.NSCgroup:
		// Its root is the cgroup of its creator at that time, so the child creates it once it is in its group.
		told.How = container.NSUnshare
	case ns == Namespace{Kind: container.NSTime} && slices.Contains(cfg.Namespaces, Namespace{Kind: container.NSUser}):
		// Only root of the user namespace may create it, and that is to own it.
		text := offsetsText(cfg.TimeOffsets)
		p.Time = &text
	case ns.Path == "" && ns.Kind == container.NSTime:
		// clone(2) would fix the offsets before they can be written, time_namespaces(7).
		p.Thread = append(p.Thread, threadStep{Kind: ns.Kind, Offsets: offsetsText(cfg.TimeOffsets)})
	case ns.Path == "":
		p.Cloneflags |= flag
		p.Loopback = p.Loopback || ns.Kind == container.NSNetwork
	case ns.Kind == container.NSUser || ns.Kind == container.NSTime:
		// Only a process of one thread may join these: see planJoins.
	case ns.Kind == container.NSMount:
		told.How = container.NSJoin // after the execution, which finds the program in the parent's mounts
	default:
		p.Thread = append(p.Thread, threadStep{Kind: ns.Kind, Path: ns.Path})
	}
	p.Namespaces = append(p.Namespaces, told)
	return nil
}

func (p *plan) planMappings(cfg *Config, privileged bool) error {
	userns := p.Cloneflags&unix.CLONE_NEWUSER != 0
	if !userns {
		if len(cfg.UIDMappings)+len(cfg.GIDMappings) > 0 {
			return errors.New("id mappings without a new user namespace")
		}
		return nil
	}
	if len(cfg.UIDMappings) == 0 || len(cfg.GIDMappings) == 0 {
		return errors.New("a new user namespace needs uid and gid mappings")
	}
	p.UIDMap, p.GIDMap = sysIDMap(cfg.UIDMappings), sysIDMap(cfg.GIDMappings)
	// user_namespaces(7): without CAP_SETUID and CAP_SETGID a process can map only a single id, and only after it has
	// denied setgroups(2) for good.
	p.Helpers = !privileged && (needsHelper(cfg.UIDMappings) || needsHelper(cfg.GIDMappings))
	p.SetGroups = privileged || p.Helpers
	p.KeepGroups = cfg.Container.Process.KeepGroups
	if gids := cfg.Container.Process.AdditionalGIDs; !p.SetGroups && len(gids) > 0 {
		return fmt.Errorf("process: AdditionalGIDs %v cannot be set: a plain user's own mapping denies setgroups(2)", gids)
	}
	return nil
}

// needsHelper reports whether a plain user may not write this mapping.
func needsHelper(m []IDMap) bool { return len(m) != 1 || m[0].Size != 1 }

func sysIDMap(m []IDMap) []syscall.SysProcIDMap {
	out := make([]syscall.SysProcIDMap, len(m))
	for i, e := range m {
		out[i] = syscall.SysProcIDMap{ContainerID: int(e.ContainerID), HostID: int(e.HostID), Size: int(e.Size)}
	}
	return out
}

// clocks are the clocks of a time namespace, time_namespaces(7).
var clocks = [...]string{"monotonic", "boottime"}

// offsetsText returns the text for timens_offsets, a line for each clock, in a fixed order.
func offsetsText(m map[string]TimeOffset) string {
	var b strings.Builder
	for _, clock := range clocks {
		if o, ok := m[clock]; ok {
			fmt.Fprintf(&b, "%s %d %d\n", clock, o.Secs, o.Nanos)
		}
	}
	return b.String()
}

// sysProcAttr returns the plan in the form of package syscall. pidfd receives the child's descriptor; cgroup is a
// cgroup2 directory to clone into, or -1.
func (p *plan) sysProcAttr(pidfd *int, cgroup int) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: p.Cloneflags, PidFD: pidfd, UidMappings: p.UIDMap, GidMappings: p.GIDMap,
		GidMappingsEnableSetgroups: p.SetGroups}
	if cgroup >= 0 {
		a.UseCgroupFD, a.CgroupFD = true, cgroup
	}
	if len(p.UIDMap) > 0 {
		// Become root of the new namespace before the execution, so that the capabilities survive it.
		a.Credential = &syscall.Credential{NoSetGroups: !p.SetGroups || p.KeepGroups}
	}
	return a
}

// String returns the plan as text, with a line for each decision.
func (p *plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "profile %s\nargv %q\nenv %q\nsocket %d\n", p.Profile, p.Argv, p.Env, p.SocketFD)
	for _, s := range p.Thread {
		switch {
		case s.Path != "":
			fmt.Fprintf(&b, "thread setns %s %s\n", s.Kind, s.Path)
		default:
			fmt.Fprintf(&b, "thread unshare %s offsets %q\n", s.Kind, s.Offsets)
		}
	}
	for _, j := range p.Joins {
		fmt.Fprintf(&b, "join %s\n", j)
	}
	if p.Chroot {
		b.WriteString("chroot to the target's root\n")
	}
	fmt.Fprintf(&b, "clone %s\n", flagNames(p.Cloneflags))
	for _, m := range p.UIDMap {
		fmt.Fprintf(&b, "uid_map %d %d %d\n", m.ContainerID, m.HostID, m.Size)
	}
	for _, m := range p.GIDMap {
		fmt.Fprintf(&b, "gid_map %d %d %d (setgroups %t)\n", m.ContainerID, m.HostID, m.Size, p.SetGroups)
	}
	if p.Helpers {
		b.WriteString("mapped by newuidmap and newgidmap\n")
	}
	if p.Time != nil {
		fmt.Fprintf(&b, "child unshare time offsets %q\n", *p.Time)
	}
	for _, n := range p.Namespaces {
		fmt.Fprintf(&b, "child %s %s\n", n.Kind, n.How)
	}
	if p.Loopback {
		b.WriteString("child loopback\n")
	}
	return b.String()
}

func flagNames(f uintptr) string {
	var names []string
	for _, k := range [...]string{container.NSUser, container.NSPid, container.NSNetwork, container.NSMount,
		container.NSIPC, container.NSUTS} {
		if f&cloneFlag(k) != 0 {
			names = append(names, k)
		}
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, " ")
}
