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

// Options are the inputs of Plan in addition to the configuration.
type Options struct {
	Bundle      string // absolute path of the bundle's directory
	ID          string // the container's id, already checked
	NoPivot     bool   // --no-pivot
	PreserveFDs int    // --preserve-fds
	Host        Host
}

// Host is what Plan needs to know about the host and the caller.
type Host struct {
	UID             uint32 // effective ids of the caller
	GID             uint32
	SetGroupsDenied bool // /proc/self/setgroups of the caller contains deny
	AppArmor        bool // the security module is in force
	SELinux         bool
	LandlockABI     int               // version of Landlock, landlock_create_ruleset(2); 0: not enabled
	Capabilities    *HostCapabilities // of the caller; nil: unknown, so none is left out
	Cgroup          CgroupHost
	Systemd         *Systemd          // what creates the cgroup; nil: the runtime itself
	Links           map[string]string // text of the symbolic links among the sources that are copied (Mount.CopiedLink)
}

// Systemd describes the systemd instance that creates the container's cgroup.
type Systemd struct {
	User bool   // a user's instance, not the system's
	Base string // the group that contains its units
}

// Planned is a configuration in the form that the rest of the runtime uses.
type Planned struct {
	Spawn       spawn.Config
	Resources   cgroupfs.Resources // without values that request nothing
	RDT         *rdt.Group         // class for cache and memory bandwidth; nil: the runtime's
	CgroupPath  string             // absolute, below the root of every hierarchy
	CgroupGiven bool               // the path is from the configuration
	Unit        *systemd.Unit      // the unit that systemd creates; nil: none
	// Seccomp is linux.seccomp, unchanged from the configuration, for package seccomp; nil: no filter.
	Seccomp     json.RawMessage
	Hooks       ParentHooks
	Annotations map[string]string
	// CoreScheduling reports that the container's processes never share a core with other processes at the same
	// time.
	CoreScheduling bool
	Rootfs         string   // absolute path of the root file system
	Warnings       []string // requests that have no effect, one line each
}

// ParentHooks are the hooks that run in the runtime's namespaces. The others are sent to the child in
// Spawn.Container.Hooks.
type ParentHooks struct {
	Prestart, CreateRuntime, Poststart, Poststop []container.Hook
}

// planner is the state of one call of Plan.
type planner struct {
	spec      *Spec
	linux     *Linux // never nil
	opt       Options
	setGroups bool // setgroups(2) is allowed where the process runs
	joins     bool // the process joins a running container
	out       *Planned
	cfg       *spawn.Container
}

// Plan decides what a configuration means. It is pure: the same arguments always give the same result, and it
// neither reads nor changes anything else. The error is a *PropertyError for the first wrong value. As in the
// specification, a configuration without a process is accepted. Spawn.Container.Process.Args is then empty, and
// the container cannot be started.
func Plan(spec *Spec, opt Options) (*Planned, error) {
	c := &planner{spec: spec, linux: spec.Linux, opt: opt, out: &Planned{Annotations: spec.Annotations}}
	if c.linux == nil {
		c.linux = &Linux{}
	}
	c.cfg = &c.out.Spawn.Container
	c.cfg.ID = opt.ID
	c.out.Spawn.PreserveFDs = opt.PreserveFDs
	// user_namespaces(7): an unprivileged user can write a mapping of its own single id only after it has denied
	// setgroups permanently. newgidmap(1) does not require that.
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
	if !requestsNothing(c.linux.Seccomp) {
		c.out.Seccomp = c.linux.Seccomp
	}
	return c.out, nil
}

func (c *planner) warn(line string) { c.out.Warnings = append(c.out.Warnings, line) }

// has reports whether the container has its own namespace of this kind, new or joined.
func (c *planner) has(kind string) bool {
	return slices.ContainsFunc(c.linux.Namespaces, func(n Namespace) bool { return n.Type == kind })
}

// creates reports whether the container gets a new namespace of this kind.
func (c *planner) creates(kind string) bool {
	return slices.ContainsFunc(c.linux.Namespaces, func(n Namespace) bool { return n.Type == kind && n.Path == "" })
}

// version accepts every 1.x.y, with any suffix, because minor versions only add properties and unknown properties
// are ignored.
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
