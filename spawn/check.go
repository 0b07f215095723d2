package spawn

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/handfast/handfast/syncproto/container"
)

// check refuses a Config with a property that no plan would carry out, because its caller would believe that it was.
func (cfg *Config) check() error {
	if cfg.PreserveFDs < 0 {
		return fmt.Errorf("preserve %d descriptors: the number is negative", cfg.PreserveFDs)
	}
	for _, n := range cfg.Affinity {
		if n > mostProcessor {
			return fmt.Errorf("affinity: processor %d is more than %d", n, mostProcessor)
		}
	}
	p := &cfg.Container.Process
	switch {
	case p.KeepGroups && len(p.AdditionalGIDs) > 0:
		return errors.New("process: KeepGroups leaves the groups as they are, so AdditionalGIDs cannot be set beside it")
	case !p.Terminal && (p.Rows > 0 || p.Columns > 0):
		return errors.New("process: Rows and Columns are the size of a terminal, and Terminal is false")
	case cfg.Container.Hooks.Runtime && cfg.Handler == nil:
		return errors.New("hooks: Runtime is set, but there is no Handler to run hooks")
	case cfg.Gate != "" && !filepath.IsAbs(cfg.Gate):
		return fmt.Errorf("gate %q: want an absolute path", cfg.Gate)
	case len(cfg.TimeOffsets) > 0 && !cfg.creates(container.NSTime):
		return errors.New("time offsets without a new time namespace")
	}
	if err := cfg.checkDevices(); err != nil {
		return err
	}
	for _, m := range append(slices.Clone(cfg.UIDMappings), cfg.GIDMappings...) {
		if m.Size == 0 {
			return fmt.Errorf("id mapping %d %d 0: it maps no ids", m.ContainerID, m.HostID)
		}
	}
	for _, clock := range slices.Sorted(maps.Keys(cfg.TimeOffsets)) {
		if !slices.Contains(clocks[:], clock) {
			return fmt.Errorf("time offsets: %q is not a clock of a time namespace; want one of %q", clock, clocks)
		}
	}
	return nil
}

// creates reports whether the child gets a new namespace of the kind.
func (cfg *Config) creates(kind string) bool {
	return slices.ContainsFunc(cfg.Namespaces, func(n Namespace) bool { return n.Kind == kind && n.Path == "" })
}

// checkDevices refuses network devices without a namespace to move to, and two of the same name.
func (cfg *Config) checkDevices() error {
	network := slices.ContainsFunc(cfg.Namespaces, func(n Namespace) bool { return n.Kind == container.NSNetwork })
	if len(cfg.NetDevices) > 0 && !network {
		return errors.New("network devices without a network namespace for the child")
	}
	seen := map[string]bool{}
	for _, d := range cfg.NetDevices {
		as := d.As
		if as == "" {
			as = d.Name
		}
		if d.Name == "" || seen[as] && !strings.Contains(as, "%d") {
			return fmt.Errorf("network device %q as %q: a name is missing or occurs twice", d.Name, as)
		}
		seen[as] = true
	}
	return nil
}

// checkJoining refuses, for a process that joins a container, the properties that only its first process can have.
func (c *Container) checkJoining() error {
	for _, f := range [...]struct {
		name string
		said bool
	}{
		{"Hostname", c.Hostname != ""}, {"Domainname", c.Domainname != ""}, {"Root", c.Root != container.Root{}},
		{"Mounts", len(c.Mounts) > 0}, {"Devices", len(c.Devices) > 0}, {"Masked", len(c.Masked) > 0},
		{"Readonly", len(c.Readonly) > 0}, {"Sysctl", len(c.Sysctl) > 0}, {"State", c.State != ""},
		{"MountLabel", c.MountLabel != ""},
		{"Hooks", c.Hooks.Runtime || len(c.Hooks.CreateContainer)+len(c.Hooks.StartContainer) > 0},
	} {
		if f.said {
			return fmt.Errorf("target: Container.%s is for a new container, but the child joins a running one", f.name)
		}
	}
	return nil
}
