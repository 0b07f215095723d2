package cgroupfs

import "strings"

// unified adds the v2 files of Resources.Unified after everything else, so that they override other properties.
func (p *planner) unified() error {
	for _, u := range p.r.Unified {
		if err := unifiedName(u.File); err != nil {
			return err
		}
		controller, _, _ := strings.Cut(u.File, ".")
		if err := p.unifiedPlace(u.File, controller); err != nil {
			return err
		}
		if strings.TrimSuffix(u.Value, "\n") == "" {
			p.add(controller, u.File, u.Value)
			continue
		}
		for line := range strings.Lines(u.Value) {
			if line = strings.TrimSuffix(line, "\n"); line != "" {
				p.add(controller, u.File, line)
			}
		}
	}
	return nil
}

func (p *planner) unifiedPlace(file, controller string) error {
	v1 := controller
	if controller == "io" {
		v1 = "blkio"
	}
	if controller == "cgroup" { // files of the core, which every group has
		v1, controller = "", ""
	}
	switch h := p.place(v1, controller); {
	case h == nil && controller != "" && p.mode != V1:
		return p.noController("unified "+file, controller)
	case h != nil && !h.V2 || p.mode == V1 || p.mode == None:
		return p.unsupportedOnV2("unified "+file, "the controller is not one of v2 here, and its files are")
	}
	return nil
}

// unifiedName refuses a name that is not that of a file of the group: a slash would lead to another group.
func unifiedName(file string) error {
	if strings.ContainsAny(file, "/\x00") || strings.HasPrefix(file, ".") || !strings.Contains(file, ".") {
		return invalid("unified", "%q is not the name of a controller's file", file)
	}
	return nil
}
