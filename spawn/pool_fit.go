package spawn

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// fit returns nil if a child that was made from the template can be started with cfg: if they agree in everything that
// is decided when a child is made. The rest comes with CONFIG, or is the parent's own part. Otherwise the error names
// the first field that differs.
func fit(template, cfg *Config) error {
	for _, f := range [...]struct {
		name string
		same bool
	}{
		{"Target", cfg.Target == template.Target},
		{"Namespaces", slices.Equal(cfg.Namespaces, template.Namespaces)},
		{"UIDMappings", slices.Equal(cfg.UIDMappings, template.UIDMappings)},
		{"GIDMappings", slices.Equal(cfg.GIDMappings, template.GIDMappings)},
		{"TimeOffsets", maps.Equal(cfg.TimeOffsets, template.TimeOffsets)},
		// Other streams come with CONFIG, which not every child of the caller's knows.
		{"Files", len(template.Init) == 0 || cfg.Files == template.Files},
		{"PreserveFDs", cfg.PreserveFDs == template.PreserveFDs},
		{"Cgroup", sameGroup(cfg.Cgroup, template.Cgroup)},
		{"Affinity", slices.Equal(cfg.Affinity, template.Affinity)},
		{"Init", slices.Equal(cfg.Init, template.Init)},
		// In a new user namespace a member has given up the groups, unless the template keeps them.
		{"Container.Process.KeepGroups", !cfg.Container.Process.KeepGroups || template.Container.Process.KeepGroups ||
			len(template.UIDMappings) == 0},
	} {
		if !f.same {
			return fmt.Errorf("pool: Config.%s is not that of the pool's template, from which the waiting children are made: "+
				"use a pool of its own, or Start", f.name)
		}
	}
	return nil
}

// sameGroup reports whether both are the same group. Values that cannot be compared are not.
func sameGroup(a, b Cgroup) bool {
	return a == nil && b == nil || a != nil && b != nil && reflect.ValueOf(a).Comparable() && a == b
}
