package cgroupfs

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Sub opens existing groups below g, for a process that shall join them and not g itself. Each path is relative to g,
// whether or not it begins with a slash; "controller:path", or "controller,controller:path", means the hierarchies of
// v1 with these controllers alone. A hierarchy that no path means stays at g. A path without controllers must exist in
// every hierarchy, but for the v2 hierarchy of a hybrid host, which limits nothing there. Paths are taken name by name
// beneath g's descriptors: none leads out of g. The Group is for joining, listing and statistics, not for Delete. The
// caller closes it beside g.
func (g *Group) Sub(paths ...string) (*Group, error) {
	chosen := make([]string, len(g.members))
	for _, p := range paths {
		if err := g.choose(chosen, p); err != nil {
			return nil, err
		}
	}
	out := &Group{layout: g.layout, path: g.path, skipped: g.skipped, below: true}
	for i := range g.members {
		m, err := g.members[i].sub(chosen[i], g.layout)
		if err != nil {
			out.Close()
			return nil, err
		}
		out.members = append(out.members, m)
	}
	if len(paths) == 1 && !strings.Contains(paths[0], ":") {
		out.path = path.Join(g.path, paths[0])
	}
	return out, nil
}

// choose notes a path for the members that it means.
func (g *Group) choose(chosen []string, p string) error {
	list, rel, found := strings.Cut(p, ":")
	if !found {
		list, rel = "", p
	}
	rel, err := checkSub(p, rel)
	if err != nil {
		return err
	}
	if !found {
		for i := range chosen {
			chosen[i] = rel
		}
		return nil
	}
	for c := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(g.members, func(m member) bool {
			return !m.h.V2 &&
				(m.h.Name == c || slices.Contains(m.h.Controllers, c))
		})
		if i < 0 {
			return fmt.Errorf("cgroup %q: unknown controller %q: the group is in no hierarchy of cgroup v1 that has it: %w",
				p, c, unix.EINVAL)
		}
		chosen[i] = rel
	}
	return nil
}

// checkSub refuses what does not name groups right below each other. The result has no slash at its ends.
func checkSub(whole, rel string) (string, error) {
	rel = strings.TrimPrefix(rel, "/")
	if rel == "" {
		return "", nil
	}
	for name := range strings.SplitSeq(rel, "/") {
		if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsRune(name, 0) {
			return "", fmt.Errorf("bad sub cgroup path %q: %q is no name of a group below: %w", whole, name, unix.EINVAL)
		}
	}
	return rel, nil
}

// sub is the member at rel below m, with a descriptor of its own.
func (m *member) sub(rel string, l *Layout) (member, error) {
	out := member{h: m.h}
	var err error
	if out.dir, err = m.dir.sub(rel); errors.Is(err, unix.ENOENT) && m.h.V2 && l.Mode() == Hybrid {
		out.dir, err = m.dir.sub("")
	}
	if err != nil {
		if errors.Is(err, unix.ENOENT) && !m.h.V2 {
			err = fmt.Errorf("%w (a path for one hierarchy alone is written %s:%s)", err, m.h.Name, rel)
		}
		return member{}, err
	}
	return out, nil
}
