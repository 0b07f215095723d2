package nsinit

import (
	"errors"
	"fmt"
	"slices"

	"github.com/handfast/handfast/syncproto/container"
)

// checkCarriedOut refuses properties that no step would carry out, and those whose step would change the host.
// Whoever sets a property relies on the container having it.
func checkCarriedOut(cfg *container.Config) error {
	if err := checkGroups(cfg); err != nil {
		return err
	}
	has := func(kind string) bool {
		return slices.ContainsFunc(cfg.Namespaces, func(n container.Namespace) bool { return n.Kind == kind })
	}
	for _, f := range [...]struct {
		property string
		said     bool
		needs    string
	}{
		{"hostname", cfg.Hostname != "", container.NSUTS},
		{"domainname", cfg.Domainname != "", container.NSUTS},
		{"mounts", len(cfg.Mounts) > 0, container.NSMount},
		{"devices", len(cfg.Devices) > 0, container.NSMount},
		{"masked", len(cfg.Masked) > 0, container.NSMount},
		{"readonly", len(cfg.Readonly) > 0, container.NSMount},
		{"root.readonly", cfg.Root.Readonly, container.NSMount},
		{"root.propagation", cfg.Root.Propagation != 0, container.NSMount},
		{"process.terminal", cfg.Process.Terminal, container.NSMount},
	} {
		if f.needs == container.NSMount && cfg.Root.OnHost {
			continue
		}
		if f.said && !has(f.needs) {
			return fmt.Errorf("%s: needs a %s namespace, and the container has none of its own", f.property, f.needs)
		}
	}
	if cfg.Root.OnHost && has(container.NSMount) {
		return errors.New("root.onHost: the container has a mount namespace of its own")
	}
	for i := range cfg.Mounts {
		if err := checkMount(&cfg.Mounts[i]); err != nil {
			return fmt.Errorf("mounts[%d]: %w", i, err)
		}
	}
	for i, h := range append(slices.Clone(cfg.Hooks.CreateContainer), cfg.Hooks.StartContainer...) {
		if h.Timeout < 0 {
			return fmt.Errorf("hooks: timeout %d s of %s (number %d) is negative", h.Timeout, h.Path, i)
		}
	}
	return nil
}

// checkGroups checks the groups, the umask and the terminal size of a process. It also applies to a process that
// joins a container.
func checkGroups(cfg *container.Config) error {
	p := &cfg.Process
	switch {
	case (p.KeepGroups || cfg.SetGroupsDenied) && len(p.AdditionalGIDs) > 0:
		return fmt.Errorf("process.additionalGids: %v cannot be set where the groups stay as they are", p.AdditionalGIDs)
	case p.Umask != nil && *p.Umask > 0o777:
		return fmt.Errorf("process.umask: %#o is more than 0777", *p.Umask)
	case !p.Terminal && (p.Rows > 0 || p.Columns > 0):
		return errors.New("process.rows and columns: they are the size of a terminal, and process.terminal is false")
	}
	return nil
}

// checkMount refuses properties that do not fit the kind of mount. A bind mount, for example, has no file system of
// its own that could have options.
func checkMount(m *container.Mount) error {
	switch {
	case m.Link != "" && (m.Type != "" || m.Source != "" || m.Bind || m.Cgroup != nil || m.Remount || m.IDs != nil):
		return errors.New("a link is in place of a mount, so it has no type, source, bind, cgroup, remount or ids")
	case m.Link != "":
		return nil
	case m.Remount && (m.Bind || m.Cgroup != nil || m.CopyUp || m.IDs != nil):
		return errors.New("bind, cgroup, copyUp and ids are of a mount that is made, and remount changes one")
	case m.Remount:
		return nil
	case m.Bind && m.Source == "":
		return errors.New("a bind mount without a source")
	case m.Bind && m.Cgroup == nil && (len(m.Data) > 0 || len(m.FSFlags) > 0 || m.CopyUp):
		return errors.New("data, fsFlags and copyUp are of a new file system, and a bind mount has none")
	case !m.Bind && m.Recursive:
		return errors.New("recursive is of a bind mount, and bind is false")
	case !m.Bind && m.Cgroup == nil && m.Type == "":
		return errors.New("neither a file system's type nor a bind mount")
	}
	return nil
}
