package nsinit

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// PlanJoin is what a child does that has joined a running container: its namespaces, its root and its groups are there already. It is as pure as Plan.
func PlanJoin(cfg *container.Config) ([]Step, error) {
	if err := errors.Join(checkProcess(&cfg.Process), checkGroups(cfg)); err != nil {
		return nil, err
	}
	p := &planner{cfg: cfg}
	p.add(Step{Stage: StageSession}, Step{Stage: StageRoot})
	if cfg.Process.Terminal {
		p.add(Step{Stage: StageConsole})
	}
	p.process()
	return p.steps, nil
}

// Plan is what the child of cfg will do, in order. It is pure: the same configuration gives the same steps, and nothing is touched. An error is a configuration that cannot be
// carried out, and names the property.
func Plan(cfg *container.Config) ([]Step, error) {
	if err := check(cfg); err != nil {
		return nil, err
	}
	p := &planner{cfg: cfg}
	p.namespaces()
	if p.has(container.NSMount) {
		p.rootfs()
	} else {
		p.add(Step{Stage: StageRootfs, Path: cfg.Root.Path})
		p.hooks()
		p.add(Step{Stage: StagePivot, Text: "chroot"})
	}
	p.process()
	return p.steps, nil
}

type planner struct {
	cfg   *container.Config
	steps []Step
}

func (p *planner) add(s ...Step) { p.steps = append(p.steps, s...) }

func (p *planner) has(kind string) bool {
	for _, n := range p.cfg.Namespaces {
		if n.Kind == kind {
			return true
		}
	}
	return false
}

// checkProcess refuses a process that nothing could be executed as.
func checkProcess(p *container.Process) error {
	switch {
	case len(p.Args) == 0 || p.Args[0] == "":
		return errors.New("process.args: there is no program")
	case !path.IsAbs(p.Cwd):
		return fmt.Errorf("process.cwd: %q is not an absolute path", p.Cwd)
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
	if err := checkProcess(&cfg.Process); err != nil {
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
		if path.Clean(m.Destination) == "/" {
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
	p.add(Step{Stage: StageSession})
	for i := range cfg.Namespaces {
		if n := &cfg.Namespaces[i]; n.How != container.NSCreated {
			p.add(Step{Stage: StageNamespace, Namespace: n})
		}
	}
	if cfg.Hostname != "" {
		p.add(Step{Stage: StageHostname, Text: cfg.Hostname})
	}
	if cfg.Domainname != "" {
		p.add(Step{Stage: StageDomainname, Text: cfg.Domainname})
	}
	if cfg.Loopback {
		p.add(Step{Stage: StageLoopback})
	}
	for _, kv := range cfg.Sysctl {
		p.add(Step{Stage: StageSysctl, Path: kv.Key, Text: kv.Value})
	}
}

// rootfs is everything between the first mount and the new root.
func (p *planner) rootfs() {
	cfg := p.cfg
	p.add(Step{Stage: StagePropagation}, Step{Stage: StageRootfs, Path: cfg.Root.Path})
	for i := range cfg.Mounts {
		p.add(Step{Stage: StageMount, Mount: &cfg.Mounts[i]})
	}
	for i := range cfg.Devices {
		p.add(Step{Stage: StageDevice, Device: &cfg.Devices[i]})
	}
	if p.ownDev() {
		for _, l := range links {
			p.add(Step{Stage: StageLink, Path: l.path, Text: l.target})
		}
	}
	if cfg.Process.Terminal {
		p.add(Step{Stage: StageConsole, Path: "/dev/console"})
	}
	p.add(Step{Stage: StageCwd, Path: path.Clean(cfg.Process.Cwd)})
	for i := range cfg.Mounts {
		if m := &cfg.Mounts[i]; lateReadonly(m) {
			p.add(Step{Stage: StageLate, Path: path.Clean(m.Destination)})
		}
	}
	p.hooks()
	how := "pivot_root"
	if cfg.Root.NoPivot {
		how = "move"
	}
	p.add(Step{Stage: StagePivot, Text: how})
	if cfg.Root.Propagation != 0 || cfg.Root.Readonly {
		p.add(Step{Stage: StageRootMode})
	}
	for _, r := range cfg.Readonly {
		p.add(Step{Stage: StageReadonly, Path: r})
	}
	for _, m := range cfg.Masked {
		p.add(Step{Stage: StageMask, Path: m})
	}
}

// lateReadonly reports whether a mount gets its read-only mode after everything else is made: mount points and nodes must still be made in a tmpfs.
func lateReadonly(m *container.Mount) bool {
	return m.Type == "tmpfs" && !m.Bind && m.Set&unix.MOUNT_ATTR_RDONLY != 0
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
		p.add(Step{Stage: StageHooks})
	}
	for i := range p.cfg.Hooks.CreateContainer {
		h := &p.cfg.Hooks.CreateContainer[i]
		p.add(Step{Stage: StageHook, Hook: h, Path: h.Path})
	}
}

// process is everything after the new root.
func (p *planner) process() {
	cfg := p.cfg
	p.add(Step{Stage: StageStdio}, Step{Stage: StageEnv})
	for i := range cfg.Process.Rlimits {
		p.add(Step{Stage: StageRlimit, Rlimit: &cfg.Process.Rlimits[i]})
	}
	// While this process may still mount the procfs that it is written through.
	for _, l := range [...]struct{ module, label string }{{"apparmor", cfg.Process.AppArmorProfile}, {"selinux", cfg.Process.SELinuxLabel}} {
		if l.label != "" {
			p.add(Step{Stage: StageLabel, Path: l.module, Text: l.label})
		}
	}
	p.add(Step{Stage: StageUser, Path: path.Clean(cfg.Process.Cwd), Text: fmt.Sprintf("%d:%d", cfg.Process.UID, cfg.Process.GID)})
	p.add(Step{Stage: StageProgram, Path: cfg.Process.Args[0]}, Step{Stage: StageReady})
	if cfg.GateFD > 0 {
		p.add(Step{Stage: StageGate})
	}
	for i := range cfg.Hooks.StartContainer {
		h := &cfg.Hooks.StartContainer[i]
		p.add(Step{Stage: StageStart, Hook: h, Path: h.Path})
	}
	p.add(Step{Stage: StageFiles, Text: fmt.Sprint(3 + cfg.KeepFDs)}, Step{Stage: StageExec, Path: cfg.Process.Args[0]})
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
