package nsinit

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/handfast/handfast/syncproto/container"
)

// planJoin is what a child does that has joined a running container: its namespaces, its root and its groups are there
// already. It is as pure as plan.
func planJoin(cfg *container.Config) ([]step, error) {
	if err := errors.Join(checkProcess(&cfg.Process, false), checkGroups(cfg)); err != nil {
		return nil, err
	}
	p := &planner{cfg: cfg}
	p.add(step{Stage: stageSession})
	p.processors()
	p.add(step{Stage: stageRoot})
	if cfg.Process.Terminal {
		p.add(step{Stage: stageConsole})
	}
	p.process()
	return p.steps, nil
}

// plan is what the child of cfg will do, in order. It is pure: the same configuration gives the same steps, and nothing
// is touched. An error is a configuration that cannot be carried out, and names the property.
func plan(cfg *container.Config) ([]step, error) {
	if err := check(cfg); err != nil {
		return nil, err
	}
	p := &planner{cfg: cfg}
	p.namespaces()
	if p.has(container.NSMount) {
		p.rootfs()
	} else {
		p.add(step{Stage: stageRootfs, Path: cfg.Root.Path})
		p.hooks()
		p.add(step{Stage: stagePivot, Text: "chroot"})
	}
	p.process()
	return p.steps, nil
}

type planner struct {
	cfg   *container.Config
	steps []step
}

func (p *planner) add(s ...step) { p.steps = append(p.steps, s...) }

func (p *planner) has(kind string) bool {
	for _, n := range p.cfg.Namespaces {
		if n.Kind == kind {
			return true
		}
	}
	return false
}

// checkProcess refuses a process that nothing could be executed as. Without a program there is a process only behind a
// gate, which keeps it from the execution.
func checkProcess(p *container.Process, gated bool) error {
	switch {
	case len(p.Args) == 0 && !gated, len(p.Args) > 0 && p.Args[0] == "":
		return errors.New("process.args: there is no program")
	case !path.IsAbs(p.Cwd):
		return fmt.Errorf("process.cwd: %q is not an absolute path", p.Cwd)
	}
	if err := errors.Join(checkFilter(p.Seccomp), checkTuning(p), checkLandlock(p.Landlock)); err != nil {
		return err
	}
	for _, s := range append(append([]string{p.AppArmorProfile, p.SELinuxLabel}, p.Args...), p.Env...) {
		if strings.IndexByte(s, 0) >= 0 {
			return fmt.Errorf("process: %q holds a NUL byte", s)
		}
	}
	return nil
}

// check refuses what no step could be made of.
func check(cfg *container.Config) error {
	if err := checkProcess(&cfg.Process, cfg.GateFD > 0); err != nil {
		return err
	}
	switch {
	case !path.IsAbs(cfg.Root.Path):
		return fmt.Errorf("root.path: %q is not an absolute path", cfg.Root.Path)
	}
	for i, m := range cfg.Mounts {
		if !path.IsAbs(m.Destination) {
			return fmt.Errorf("mounts[%d].destination: %q is not an absolute path", i, m.Destination)
		}
		if path.Clean(m.Destination) == "/" && !m.Remount {
			return fmt.Errorf("mounts[%d].destination: %q is the root itself, which root.path gives", i, m.Destination)
		}
	}
	for i, d := range cfg.Devices {
		if !path.IsAbs(d.Path) || deviceType(d.Type) == 0 {
			return fmt.Errorf("devices[%d]: path %q, type %q: want an absolute path and one of c, b, p", i, d.Path, d.Type)
		}
	}
	return checkCarriedOut(cfg)
}

func (p *planner) namespaces() {
	cfg := p.cfg
	p.add(step{Stage: stageSession})
	p.processors()
	for i := range cfg.Namespaces {
		if n := &cfg.Namespaces[i]; n.How != container.NSCreated {
			p.add(step{Stage: stageNamespace, Namespace: n})
		}
	}
	if cfg.Hostname != "" {
		p.add(step{Stage: stageHostname, Text: cfg.Hostname})
	}
	if cfg.Domainname != "" {
		p.add(step{Stage: stageDomainname, Text: cfg.Domainname})
	}
	if cfg.Loopback {
		p.add(step{Stage: stageLoopback})
	}
	for _, kv := range cfg.Sysctl {
		p.add(step{Stage: stageSysctl, Path: kv.Key, Text: kv.Value})
	}
}

// rootfs is everything between the first mount and the new root.
func (p *planner) rootfs() {
	cfg := p.cfg
	p.add(step{Stage: stagePropagation}, step{Stage: stageRootfs, Path: cfg.Root.Path})
	for i := range cfg.Mounts {
		if m := &cfg.Mounts[i]; !m.Remount || !p.late(i) {
			p.add(step{Stage: stageMount, Mount: m})
		}
	}
	for i := range cfg.Devices {
		// In a /dev of the container's own ptmx is the link to its devpts, whatever stands in the configuration: a node
		// of it would open the terminals of that instance too, or of the host's where it must be bound from there.
		if d := &cfg.Devices[i]; !p.ownDev() || path.Clean(d.Path) != "/dev/ptmx" {
			p.add(step{Stage: stageDevice, Device: d})
		}
	}
	if p.ownDev() {
		for _, l := range links {
			p.add(step{Stage: stageLink, Path: l.path, Text: l.target})
		}
	}
	if cfg.Process.Terminal {
		p.add(step{Stage: stageConsole, Path: "/dev/console"})
	}
	p.add(step{Stage: stageCwd, Path: path.Clean(cfg.Process.Cwd)})
	for i := range cfg.Mounts {
		switch m := &cfg.Mounts[i]; {
		case !p.late(i):
		case m.Remount:
			p.add(step{Stage: stageMount, Mount: m})
		default:
			p.add(step{Stage: stageLate, Path: path.Clean(m.Destination)})
		}
	}
	p.hooks()
	how := "pivot_root"
	if cfg.Root.NoPivot {
		how = "move"
	}
	p.add(step{Stage: stagePivot, Text: how})
	for _, r := range cfg.Readonly {
		p.add(step{Stage: stageReadonly, Path: r})
	}
	for _, m := range cfg.Masked {
		p.add(step{Stage: stageMask, Path: m})
	}
	// Last, for of a root that is unbindable no copy could be made to mount.
	if rootPropagation(cfg.Root.Propagation) != 0 || cfg.Root.Readonly {
		p.add(step{Stage: stageRootMode})
	}
}

// ownDev reports whether /dev is the container's to fill: a /dev that is bound from the host is left as it is.
func (p *planner) ownDev() bool {
	for _, m := range p.cfg.Mounts {
		if path.Clean(m.Destination) == "/dev" && m.Bind {
			return false
		}
	}
	return true
}

func (p *planner) hooks() {
	if p.cfg.Hooks.Runtime {
		p.add(step{Stage: stageHooks})
	}
	for i := range p.cfg.Hooks.CreateContainer {
		h := &p.cfg.Hooks.CreateContainer[i]
		p.add(step{Stage: stageHook, Hook: h, Path: h.Path})
	}
}

// process is everything after the new root.
func (p *planner) process() {
	cfg := p.cfg
	p.add(step{Stage: stageStdio}, step{Stage: stageEnv})
	for i := range cfg.Process.Rlimits {
		p.add(step{Stage: stageRlimit, Rlimit: &cfg.Process.Rlimits[i]})
	}
	// While this process may still mount the procfs that it is written through.
	for _, l := range [...]struct{ module, label string }{{"apparmor", cfg.Process.AppArmorProfile},
		{"selinux", cfg.Process.SELinuxLabel}} {
		if l.label != "" {
			p.add(step{Stage: stageLabel, Path: l.module, Text: l.label})
		}
	}
	p.tuning()
	if l := cfg.Process.Landlock; l != nil {
		p.add(step{Stage: stageLandlock, Text: describeLandlock(l)})
	}
	p.add(step{Stage: stageUser, Path: path.Clean(cfg.Process.Cwd), Text: fmt.Sprintf("%d:%d", cfg.Process.UID,
		cfg.Process.GID)})
	if len(cfg.Process.Args) > 0 {
		p.add(step{Stage: stageProgram, Path: cfg.Process.Args[0]})
	}
	p.add(step{Stage: stageReady})
	if cfg.GateFD > 0 {
		p.add(step{Stage: stageGate})
	}
	if sig := cfg.Process.ParentDeathSignal; sig != 0 {
		p.add(step{Stage: stageParentDeath, Text: fmt.Sprint("signal ", sig)})
	}
	if cfg.Process.Seccomp != nil {
		p.filtered()
		return
	}
	p.startHooks()
	p.files()
	p.execute()
}

// execute ends every plan. Without a program the execution of nothing fails, whoever opens the gate.
func (p *planner) execute() {
	last := step{Stage: stageExec}
	if args := p.cfg.Process.Args; len(args) > 0 {
		last.Path = args[0]
	}
	p.add(last)
}

func (p *planner) startHooks() {
	for i := range p.cfg.Hooks.StartContainer {
		h := &p.cfg.Hooks.StartContainer[i]
		p.add(step{Stage: stageStart, Hook: h, Path: h.Path})
	}
}

func (p *planner) files() {
	p.add(step{Stage: stageFiles, Text: fmt.Sprint(3 + p.cfg.KeepFDs)})
}

// links are the links in /dev that runtime-spec config-linux.md names ("Dev symbolic links"), and ptmx.
var links = [...]struct{ path, target string }{
	{"/dev/fd", "/proc/self/fd"},
	{"/dev/stdin", "/proc/self/fd/0"},
	{"/dev/stdout", "/proc/self/fd/1"},
	{"/dev/stderr", "/proc/self/fd/2"},
	{"/dev/core", "/proc/kcore"},
	{"/dev/ptmx", "pts/ptmx"},
}
