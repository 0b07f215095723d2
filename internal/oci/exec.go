package oci

import (
	"slices"

	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// Running is what PlanProcess needs to know about the container that a process joins, in addition to the
// container's configuration, as read from /proc.
type Running struct {
	ID          string
	UIDMappings []IDMapping // of its user namespace, in the caller's ids; both are nil if it is the caller's
	GIDMappings []IDMapping
	SetGroups   bool              // setgroups(2) is allowed in it
	Annotations map[string]string // of the container
	PreserveFDs int
	Host        Host
}

// PlanProcess decides the configuration of a process that joins a running container. It is pure, like Plan, and
// returns the same errors.
func PlanProcess(p *Process, r Running) (spawn.Config, []string, error) {
	c := &planner{
		spec: &Spec{Process: p, Annotations: r.Annotations}, linux: &Linux{},
		opt:       Options{PreserveFDs: r.PreserveFDs, Host: r.Host},
		setGroups: r.SetGroups, joins: true, out: &Planned{},
	}
	if r.UIDMappings != nil {
		// Its ids are checked like those of a new namespace.
		c.linux.Namespaces = []Namespace{{Type: container.NSUser}}
		c.linux.UIDMappings, c.linux.GIDMappings = r.UIDMappings, r.GIDMappings
	}
	c.cfg = &c.out.Spawn.Container
	c.cfg.ID = r.ID
	c.out.Spawn.PreserveFDs = r.PreserveFDs
	if err := c.process(); err != nil {
		return spawn.Config{}, nil, err
	}
	return c.out.Spawn, c.out.Warnings, nil
}

// Complete sets the properties of p that change how the kernel treats the process. If p does not set one, it is
// copied from own, the container's own process, as runc does. execCPUAffinity always concerns processes that join,
// in either configuration.
func (p *Process) Complete(own *Process) {
	if p.Scheduler == nil {
		p.Scheduler = own.Scheduler
	}
	if p.IOPriority == nil {
		p.IOPriority = own.IOPriority
	}
	if p.ExecCPUAffinity == nil {
		p.ExecCPUAffinity = own.ExecCPUAffinity
	}
}

// Changes are the changes that the command line of exec makes to the configuration of a process.
type Changes struct {
	Args           []string // empty: unchanged
	Cwd            string   // empty: unchanged
	Env            []string // added; the last of several equal names counts
	User           *UserIDs
	AdditionalGIDs []uint32 // added
	Capabilities   []string // added to all sets except the inheritable one
	NoNewPrivs     bool
	Terminal       *bool // nil: unchanged
	SelinuxLabel   string
	Apparmor       string
}

// UserIDs are a user id and optionally a group id.
type UserIDs struct {
	UID uint32
	GID *uint32
}

// Apply returns a copy of p with the changes; p itself does not change.
//
// A capability never becomes inheritable (CVE-2022-29162), because it would survive into programs that the process
// executes. As with runc, it becomes ambient only if the process already has inheritable capabilities.
func (c *Changes) Apply(p *Process) *Process {
	out := *p
	if len(c.Args) > 0 {
		out.Args = c.Args
	}
	if c.Cwd != "" {
		out.Cwd = c.Cwd
	}
	out.Env = append(slices.Clip(p.Env), c.Env...)
	if c.User != nil {
		out.User.UID = c.User.UID
		if c.User.GID != nil {
			out.User.GID = *c.User.GID
		}
	}
	out.User.AdditionalGIDs = append(slices.Clip(p.User.AdditionalGIDs), c.AdditionalGIDs...)
	out.Capabilities = c.capabilities(p.Capabilities)
	out.NoNewPrivileges = p.NoNewPrivileges || c.NoNewPrivs
	if c.Terminal != nil {
		out.Terminal = *c.Terminal
	}
	if c.SelinuxLabel != "" {
		out.SelinuxLabel = c.SelinuxLabel
	}
	if c.Apparmor != "" {
		out.ApparmorProfile = c.Apparmor
	}
	return &out
}

func (c *Changes) capabilities(in *Capabilities) *Capabilities {
	if len(c.Capabilities) == 0 {
		return in
	}
	out := Capabilities{}
	if in != nil {
		out = *in
	}
	sets := []*[]string{&out.Bounding, &out.Effective, &out.Permitted}
	if len(out.Inheritable) > 0 {
		sets = append(sets, &out.Ambient)
	}
	for _, set := range sets {
		*set = append(slices.Clip(*set), c.Capabilities...)
	}
	return &out
}
