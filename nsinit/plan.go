package nsinit

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/handfast/handfast/syncproto/container"
)

// planJoin returns the steps of a child that has joined a running container: it is in the container's namespaces,
// root and cgroups already. planJoin is as pure as plan.
func planJoin(cfg *container.Config) ([]step, error) {
	if err := errors.Join(checkProcess(&cfg.Process, false), checkGroups(cfg)); err != nil {
		return nil, err
	}
	p := &planner{cfg: cfg}
	p.begin()
	p.add(rootStep{})
	if cfg.Process.Terminal {
		p.add(consoleStep{})
	}
	p.process()
	return p.steps, nil
}

// plan returns the steps of the child of cfg, in order. It is pure: the same configuration gives the same steps,
// and nothing is changed. If the configuration cannot be carried out, the error names the property.
func plan(cfg *container.Config) ([]step, error) {
	if err := check(cfg); err != nil {
		return nil, err
	}
	p := &planner{cfg: cfg}
	p.namespaces()
	if p.has(container.NSMount) || cfg.Root.OnHost {
		p.rootfs()
	} else {
		p.add(rootfsStep{cfg.Root.Path})
		p.hooks()
		p.add(pivotStep{"chroot"})
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

// checkProcess refuses a process that could not execute anything. A process without a program is allowed only
// behind a gate, which keeps it from the execution.
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

// check refuses a configuration that cannot be turned into steps.
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

// begin adds the steps with which every child begins.
func (p *planner) begin() {
	p.add(sessionStep{})
	if streams := p.cfg.Streams(); streams != [3]int{} {
		p.add(streamsStep{streams})
	}
	p.processors()
}

func (p *planner) namespaces() {
	cfg := p.cfg
	p.begin()
	for i := range cfg.Namespaces {
		if n := &cfg.Namespaces[i]; n.How != container.NSCreated {
			p.add(namespaceStep{n})
		}
	}
	if cfg.Hostname != "" {
		p.add(hostnameStep{cfg.Hostname})
	}
	if cfg.Domainname != "" {
		p.add(domainnameStep{cfg.Domainname})
	}
	if cfg.Loopback {
		p.add(loopbackStep{})
	}
	for _, kv := range cfg.Sysctl {
		p.add(sysctlStep{key: kv.Key, value: kv.Value})
	}
}

// rootfs adds the steps between the first mount and the new root.
func (p *planner) rootfs() {
	cfg := p.cfg
	if p.has(container.NSMount) {
		p.add(propagationStep{})
	}
	p.add(rootfsStep{cfg.Root.Path})
	for i := range cfg.Mounts {
		if m := &cfg.Mounts[i]; !m.Remount || !p.late(i) {
			p.add(mountStep{m})
		}
	}
	for i := range cfg.Devices {
		// If the container has a /dev of its own, ptmx there is the link to its devpts, whatever the configuration
		// says. A device node would also open the terminals of that instance, or of the host's instance if the node
		// must be bound from the host.
		if d := &cfg.Devices[i]; !p.ownDev() || path.Clean(d.Path) != "/dev/ptmx" {
			p.add(deviceStep{d})
		}
	}
	if p.ownDev() {
		for _, l := range links {
			p.add(linkStep(l))
		}
	}
	p.add(cwdStep{path.Clean(cfg.Process.Cwd)})
	if cfg.Process.Terminal {
		p.add(consoleStep{"/dev/console"})
	}
	for i := range cfg.Mounts {
		switch m := &cfg.Mounts[i]; {
		case !p.late(i):
		case m.Remount:
			p.add(mountStep{m})
		default:
			p.add(lateStep{path.Clean(m.Destination)})
		}
	}
	p.hooks()
	how := "pivot_root"
	switch {
	case !p.has(container.NSMount):
		how = "chroot"
	case cfg.Root.NoPivot:
		how = "move"
	}
	p.add(pivotStep{how})
	for _, r := range cfg.Readonly {
		p.add(readonlyStep{r})
	}
	for _, m := range cfg.Masked {
		p.add(maskStep{m})
	}
	// This must be last: the steps before it mount copies, and an unbindable root cannot be copied.
	if rootPropagation(cfg.Root.Propagation) != 0 || cfg.Root.Readonly {
		p.add(rootModeStep{})
	}
}

// ownDev reports whether the container fills /dev. A /dev that is bound from the host is left as it is.
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
		p.add(hooksStep{})
	}
	for i := range p.cfg.Hooks.CreateContainer {
		h := &p.cfg.Hooks.CreateContainer[i]
		p.add(createHookStep{h})
	}
}

// process adds the steps after the new root.
func (p *planner) process() {
	cfg := p.cfg
	p.add(stdioStep{}, environmentStep{})
	for i := range cfg.Process.Rlimits {
		p.add(rlimitStep{&cfg.Process.Rlimits[i]})
	}
	// This must come while this process may still mount the procfs through which the label is written.
	for _, l := range [...]struct{ module, label string }{{"apparmor", cfg.Process.AppArmorProfile},
		{"selinux", cfg.Process.SELinuxLabel}} {
		if l.label != "" {
			p.add(labelStep(l))
		}
	}
	p.tuning()
	if l := cfg.Process.Landlock; l != nil {
		p.add(landlockStep{l})
	}
	p.add(userStep{cwd: path.Clean(cfg.Process.Cwd), uid: cfg.Process.UID, gid: cfg.Process.GID})
	if len(cfg.Process.Args) > 0 {
		p.add(programStep{cfg.Process.Args[0]})
	}
	p.add(readyStep{})
	if cfg.GateFD > 0 {
		p.add(gateStep{})
	}
	if sig := cfg.Process.ParentDeathSignal; sig != 0 {
		p.add(parentDeathStep{sig})
	}
	if cfg.Process.Seccomp != nil {
		p.filtered()
		return
	}
	p.startHooks()
	p.files()
	p.execute()
}

// execute adds the last step of every plan. Without a program, the execution fails as soon as the gate is opened.
func (p *planner) execute() {
	last := execStep{}
	if args := p.cfg.Process.Args; len(args) > 0 {
		last.program = args[0]
	}
	p.add(last)
}

func (p *planner) startHooks() {
	for i := range p.cfg.Hooks.StartContainer {
		h := &p.cfg.Hooks.StartContainer[i]
		p.add(startHookStep{h})
	}
}

func (p *planner) files() {
	p.add(filesStep{3 + p.cfg.KeepFDs})
}

// links are the links in /dev from runtime-spec config-linux.md ("Dev symbolic links"), and ptmx.
var links = [...]struct{ path, target string }{
	{"/dev/fd", "/proc/self/fd"},
	{"/dev/stdin", "/proc/self/fd/0"},
	{"/dev/stdout", "/proc/self/fd/1"},
	{"/dev/stderr", "/proc/self/fd/2"},
	{"/dev/core", "/proc/kcore"},
	{"/dev/ptmx", "pts/ptmx"},
}
