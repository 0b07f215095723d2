package oci

import (
	"slices"

	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// Running is what PlanProcess must know of the container that a process is executed in besides its configuration, as
// /proc says it.
type Running struct {
	ID          string
	UIDMappings []IDMapping // of its user namespace, in the caller's ids; both nil where it is the caller's
	GIDMappings []IDMapping
	SetGroups   bool // setgroups(2) is allowed in it
	PreserveFDs int
	Host        Host
}

// PlanProcess decides the configuration of a process that joins a running container. It is as pure as Plan, and
// its errors are the same.
func PlanProcess(p *Process, r Running) (spawn.Config, []string, error) {
	c := &planner{
		spec: &Spec{Process: p}, linux: &Linux{}, opt: Options{PreserveFDs: r.PreserveFDs, Host: r.Host},
		setGroups: r.SetGroups, joins: true, out: &Planned{},
	}
	if r.UIDMappings != nil {
		// Its ids are checked as those of a new namespace are.
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

// Complete gives a process that says nothing about how the kernel is to treat it what the container's own says of that,
// as runc does. execCPUAffinity is about processes that join, wherever it stands.
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

// Changes are what the command line of exec says about a process, over what its configuration says.
type Changes struct {
	Args           []string // empty: as it is
	Cwd            string   // empty: as it is
	Env            []string // added; of two equal names the last counts
	User           *UserIDs
	AdditionalGIDs []uint32 // added
	Capabilities   []string // added to all sets but the inheritable one
	NoNewPrivs     bool
	Terminal       *bool // nil: as it is
	SelinuxLabel   string
	Apparmor       string
}

// UserIDs are a user, and a group if one was given.
type UserIDs struct {
	UID uint32
	GID *uint32
}

// Apply is the process with the changes; p itself stays as it is.
//
// A capability never becomes inheritable (CVE-2022-29162): the set would survive into programs that the process
// executes. It becomes ambient only where the process has inheritable ones of its own, as runc does.
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
