package oci

import (
	"fmt"
	"math"
	"path"
	"strings"

	"github.com/handfast/handfast/syncproto/container"
)

func (c *planner) process() error {
	p := c.spec.Process
	if p == nil {
		c.cfg.Process.Cwd = "/" // for the process that waits at the start gate
		return nil
	}
	for _, part := range []func(*Process) error{c.arguments, c.terminal, c.user, c.rlimits, c.labels, c.tuning} {
		if err := part(p); err != nil {
			return err
		}
	}
	if adj := p.OOMScoreAdj; adj != nil {
		if *adj < -1000 || *adj > 1000 {
			return wrong("process.oomScoreAdj", "%d; want -1000 to 1000", *adj)
		}
		c.out.Spawn.OOMScoreAdj = adj
	}
	c.cfg.Process.NoNewPrivs = p.NoNewPrivileges
	c.capabilities(p.Capabilities)
	return nil
}

func (c *planner) arguments(p *Process) error {
	if len(p.Args) == 0 {
		return wrong("process.args", "missing or empty; want the program and its arguments")
	}
	if p.Args[0] == "" {
		return wrong("process.args[0]", "empty; want the program's path, or its name to be looked up in PATH")
	}
	if !strings.HasPrefix(p.Cwd, "/") {
		return wrong("process.cwd", "%q is not absolute", p.Cwd)
	}
	if err := environment("process.env", p.Env); err != nil {
		return err
	}
	c.cfg.Process.Args, c.cfg.Process.Env, c.cfg.Process.Cwd = p.Args, p.Env, path.Clean(p.Cwd)
	return nil
}

func environment(at string, env []string) error {
	for i, e := range env {
		if strings.IndexByte(e, '=') < 1 {
			return wrong(fmt.Sprintf("%s[%d]", at, i), "%q; want NAME=value", e)
		}
	}
	return nil
}

func (c *planner) terminal(p *Process) error {
	c.cfg.Process.Terminal = p.Terminal
	if !p.Terminal || p.ConsoleSize == nil {
		return nil // config.md: the size is ignored without a terminal
	}
	for _, n := range [...]struct {
		at    string
		value uint64
	}{{"height", p.ConsoleSize.Height}, {"width", p.ConsoleSize.Width}} {
		if n.value > math.MaxUint16 {
			return wrong("process.consoleSize."+n.at, "%d; want at most %d", n.value, math.MaxUint16)
		}
	}
	c.cfg.Process.Rows, c.cfg.Process.Columns = uint16(p.ConsoleSize.Height), uint16(p.ConsoleSize.Width)
	return nil
}

func (c *planner) user(p *Process) error {
	if err := c.checkMapped("process.user.uid", "linux.uidMappings", c.linux.UIDMappings, p.User.UID); err != nil {
		return err
	}
	if err := c.checkMapped("process.user.gid", "linux.gidMappings", c.linux.GIDMappings, p.User.GID); err != nil {
		return err
	}
	out := &c.cfg.Process
	out.UID, out.GID, out.Umask = p.User.UID, p.User.GID, p.User.Umask
	if m := p.User.Umask; m != nil && *m > 0o777 {
		return wrong("process.user.umask", "%d; want 0 to 511 (octal 777)", *m)
	}
	if c.spec.Annotations[AnnotationKeepGroups] == "1" {
		out.KeepGroups = true
		if len(p.User.AdditionalGIDs) > 0 { // managers add those of the image's user by themselves
			c.warn("process.user.additionalGids: without effect, for annotations." + AnnotationKeepGroups +
				" keeps the caller's groups")
		}
		return nil
	}
	out.KeepGroups = !c.setGroups
	for i, g := range p.User.AdditionalGIDs {
		at := fmt.Sprintf("process.user.additionalGids[%d]", i)
		if err := c.checkMapped(at, "linux.gidMappings", c.linux.GIDMappings, g); err != nil {
			return err
		}
		switch {
		case c.setGroups:
			out.AdditionalGIDs = append(out.AdditionalGIDs, g)
		case g != p.User.GID: // the process is a member of its own group anyway
			return wrong(at, "%d: additional groups cannot be set where setgroups(2) is denied, as in the user namespace of a "+
				"plain user that maps one id alone", g)
		}
	}
	return nil
}

// mountLabel sets the label of the files in the container's own file systems.
func (c *planner) mountLabel() error {
	l := c.linux.MountLabel
	if l != "" && !c.opt.Host.SELinux {
		return wrong("linux.mountLabel", "%q: SELinux is not in force on this host", l)
	}
	c.cfg.MountLabel = l
	return nil
}

// labels converts the labels that security modules apply at execve(2). If a module is not enabled, its label is an
// error, because the process would run with less protection than was requested.
func (c *planner) labels(p *Process) error {
	if l := p.ApparmorProfile; l != "" && (l != "unconfined" || c.opt.Host.AppArmor) {
		if !c.opt.Host.AppArmor {
			return wrong("process.apparmorProfile", "%q: AppArmor is not in force on this host", l)
		}
		c.cfg.Process.AppArmorProfile = l
	}
	if l := p.SelinuxLabel; l != "" {
		if !c.opt.Host.SELinux {
			return wrong("process.selinuxLabel", "%q: SELinux is not in force on this host", l)
		}
		c.cfg.Process.SELinuxLabel = l
	}
	return nil
}

func (c *planner) rlimits(p *Process) error {
	for i, l := range p.Rlimits {
		at := fmt.Sprintf("process.rlimits[%d]", i)
		n := rlimitNumber(l.Type)
		if n < 0 {
			return wrong(at+".type", "%q is not known; want one of getrlimit(2), such as RLIMIT_NOFILE", l.Type)
		}
		for _, before := range p.Rlimits[:i] {
			if before.Type == l.Type {
				return wrong(at+".type", "%q stands twice; each type may stand once", l.Type)
			}
		}
		if l.Soft > l.Hard {
			return wrong(at+".soft", "%d is above the hard limit %d of %s", l.Soft, l.Hard, l.Type)
		}
		c.cfg.Process.Rlimits = append(c.cfg.Process.Rlimits, container.Rlimit{Resource: n, Soft: l.Soft, Hard: l.Hard})
	}
	return nil
}

// rlimitNumber returns the resource's number in <asm-generic/resource.h>, or -1 for an unknown name.
func rlimitNumber(name string) int {
	for i, n := range [...]string{
		"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING", "MSGQUEUE",
		"NICE", "RTPRIO", "RTTIME",
	} {
		if name == "RLIMIT_"+n {
			return i
		}
	}
	return -1
}
