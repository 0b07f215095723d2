package cgroupfs

import "strings"

// unified adds files of v2 that have no property of their own, after everything else, so that they have the last word.
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
	if controller == "cgroup" { // of every group, and no controller's
		v1, controller = "", ""
	}
	switch h := p.place(v1, controller); {
	case h == nil && controller != "" && p.mode != V1:
		return p.missing("unified "+file, controller)
	case h != nil && !h.V2 || p.mode == V1 || p.mode == None:
		return p.without("unified "+file, "the controller is not one of v2 here, and its files are")
	}
	return nil
}

// unifiedName refuses names that are no plain file of the group: a slash would reach another group.
func unifiedName(file string) error {
	if strings.ContainsAny(file, "/\x00") || strings.HasPrefix(file, ".") || !strings.Contains(file, ".") {
		return invalid("unified", "%q is not the name of a controller's file", file)
	}
	return nil
}
