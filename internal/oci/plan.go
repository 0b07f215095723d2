package oci

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/cgroupfs/systemd"
	"github.com/handfast/handfast/internal/rdt"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// Options are what Plan needs beside the configuration.
type Options struct {
	Bundle      string // absolute path of the bundle's directory
	ID          string // the container's id, already checked
	NoPivot     bool   // --no-pivot
	PreserveFDs int    // --preserve-fds
	Host        Host
}

// Host is what Plan must know of the host and of the caller.
type Host struct {
	UID             uint32 // effective ids of the caller
	GID             uint32
	SetGroupsDenied bool // /proc/self/setgroups of the caller says deny
	AppArmor        bool // the security module is in force
	SELinux         bool
	LandlockABI     int               // version of Landlock, landlock_create_ruleset(2); 0: none is in force
	Capabilities    *HostCapabilities // of the caller; nil: nothing is known, and nothing left out
	Cgroup          CgroupHost
	Systemd         *Systemd // who makes the cgroup; nil: the runtime itself
}

// Systemd is the systemd that is to make the container's cgroup.
type Systemd struct {
	User bool   // a user's own, not the system's
	Base string // the group that its units are below
}

// Planned is a configuration as the rest of the runtime takes it.
type Planned struct {
	Spawn       spawn.Config
	Resources   cgroupfs.Resources // what means nothing is left out
	RDT         *rdt.Group         // class of cache and memory bandwidth; nil: that of the runtime
	CgroupPath  string             // absolute, below the root of every hierarchy
	CgroupGiven bool               // the configuration names it
	Unit        *systemd.Unit      // what systemd makes; nil: nothing
	// linux.seccomp for package seccomp, as it stands in the configuration; nil: no filter
	Seccomp     json.RawMessage
	Hooks       ParentHooks
	Annotations map[string]string
	// CoreScheduling: its processes share a core with no others' at a time
	CoreScheduling bool
	Rootfs         string   // absolute path of the root file system
	Warnings       []string // what was asked for and has no effect, one line each
}

// ParentHooks are the hooks that run in the runtime's namespaces; the others travel to the child in
// Spawn.Container.Hooks.
type ParentHooks struct {
	Prestart, CreateRuntime, Poststart, Poststop []container.Hook
}

// planner is the state of one call of Plan.
type planner struct {
	spec      *Spec
	linux     *Linux // never nil
	opt       Options
	setGroups bool // setgroups(2) is allowed where the process is executed
	joins     bool // a container that runs
	out       *Planned
	cfg       *spawn.Container
}

// Plan decides what a configuration means. It is pure: the same arguments give the same value, and nothing is read
// or changed. The error is a *PropertyError for the first wrong value. A configuration without a process is accepted,
// as the specification allows; Spawn.Container.Process.Args is then empty and the container cannot be started.
func Plan(spec *Spec, opt Options) (*Planned, error) {
	c := &planner{spec: spec, linux: spec.Linux, opt: opt, out: &Planned{Annotations: spec.Annotations}}
	if c.linux == nil {
		c.linux = &Linux{}
	}
	c.cfg = &c.out.Spawn.Container
	c.cfg.ID = opt.ID
	c.out.Spawn.PreserveFDs = opt.PreserveFDs
	// user_namespaces(7): a plain user's own mapping of one id can only be written after setgroups is denied, for good.
	// newgidmap(1) does not ask for that.
	c.setGroups = !opt.Host.SetGroupsDenied && (opt.Host.UID == 0 || !c.creates(container.NSUser) ||
		moreThanOne(c.linux.UIDMappings) || moreThanOne(c.linux.GIDMappings))
	for _, part := range []func() error{
		c.version, c.namespaces, c.mappings, c.timeOffsets, c.names, c.root, c.mounts, c.mountLabel, c.paths,
		c.devices, c.sysctls, c.personality, c.memoryPolicy, c.netDevices,
		c.process, c.extensions, c.hooks, c.cgroup, c.rdt,
	} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	if !nothing(c.linux.Seccomp) {
		c.out.Seccomp = c.linux.Seccomp
	}
	return c.out, nil
}

func (c *planner) warn(line string) { c.out.Warnings = append(c.out.Warnings, line) }

// has says whether the container has a namespace of its own of this kind, new or joined.
func (c *planner) has(kind string) bool {
	return slices.ContainsFunc(c.linux.Namespaces, func(n Namespace) bool { return n.Type == kind })
}

// creates says whether the container gets a new namespace of this kind.
func (c *planner) creates(kind string) bool {
	return slices.ContainsFunc(c.linux.Namespaces, func(n Namespace) bool { return n.Type == kind && n.Path == "" })
}

// version accepts every 1.x.y, with any suffix: minor versions add properties, and unknown ones are ignored.
func (c *planner) version() error {
	v := c.spec.Version
	if v == "" {
		return wrong("ociVersion", "missing; want a version of the specification such as %q", Version)
	}
	numbers, _, _ := strings.Cut(v, "+")
	numbers, _, _ = strings.Cut(numbers, "-")
	parts := strings.Split(numbers, ".")
	ok := len(parts) == 3 && parts[0] == "1"
	for _, p := range parts {
		ok = ok && p != "" && strings.Trim(p, "0123456789") == ""
	}
	if !ok {
		return wrong("ociVersion", "%q is not known; want 1.x.y, such as %q", v, Version)
	}
	return nil
}
