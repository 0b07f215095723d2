package cgroupfs

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Sub opens existing groups below g, for a process that is to join them instead of g. Each path is relative to g, even
// if it begins with a slash. "controller:path" or "controller,controller:path" selects only the v1 hierarchies with
// these controllers; hierarchies that no path selects stay at g. A path without controllers must exist in every
// hierarchy except the v2 hierarchy of a hybrid host, which limits nothing there. Paths are resolved name by name
// beneath g's descriptors, so that none leads out of g. The returned Group is for joining, listing and statistics, not
// for Delete. The caller closes both.
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

// choose stores a path for the members that it selects.
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

// checkSub checks that every element of a path is the name of a group, and returns the path without slashes at its
// ends.
func checkSub(whole, rel string) (string, error) {
	rel = strings.TrimPrefix(rel, "/")
	if rel == "" {
		return "", nil
	}
	for name := range strings.SplitSeq(rel, "/") {
		if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsRune(name, 0) {
			return "", fmt.Errorf("bad sub cgroup path %q: %q is not the name of a group: %w", whole, name, unix.EINVAL)
		}
	}
	return rel, nil
}

// sub returns the member at rel below m, with a descriptor of its own.
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
