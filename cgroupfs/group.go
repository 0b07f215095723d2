package cgroupfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Group is a control group: a directory in every hierarchy of the host, held open. It owns its descriptors until Close.
// It must not be used by several goroutines at once.
type Group struct {
	layout  *Layout
	path    string
	members []member
	skipped []Skipped
	gone    []*Hierarchy // where Load did not find it
	made    int          // how many of the path's last components were made for it, as Load was told
	below   bool         // opened by Sub, so not to be removed through this Group
	sources [][]source   // what Stats reads, a list for each member
}

// member is the group in one hierarchy.
type member struct {
	h     *Hierarchy
	mount dir // open only while the group is created
	dir   dir
	made  []string // paths that Create made, relative to the mount, parents first
	depth int      // how many of the path's last components were made for the group here

	disabled []disabled // controllers of v2 that could not be enabled on the way down
}

// Skipped is a hierarchy that the group is not in, because the caller has no permission there.
type Skipped struct {
	Hierarchy Hierarchy
	Err       error
}

// Saved is what a later process needs to open a group again; it may be stored as JSON.
type Saved struct {
	Path string `json:"path"`
	Made int    `json:"made,omitempty"` // how many of the path's last components were made for the group
}

// Saved returns what Load needs to open the group again. A parent counts as made only if it was made in every
// hierarchy: one that existed in some hierarchy may carry limits of another owner.
func (g *Group) Saved() Saved {
	s := Saved{Path: g.path}
	for i, m := range g.members {
		if i == 0 || m.depth < s.Made {
			s.Made = m.depth
		}
	}
	return s
}

// Load opens a group that was created earlier. It leaves out hierarchies in which the group is gone; Delete still
// removes the parents that were made for it there. The caller closes the Group.
func Load(l *Layout, s Saved) (*Group, error) {
	rel, err := checkPath(s.Path)
	if err != nil {
		return nil, err
	}
	g := &Group{layout: l, path: s.Path, made: s.Made}
	for i := range l.Hierarchies {
		m := member{h: &l.Hierarchies[i], depth: s.Made}
		var found bool
		if m.dir, found, err = openGroup(m.h, rel); err != nil {
			g.Close()
			return nil, err
		}
		if found {
			g.members = append(g.members, m)
		} else {
			g.gone = append(g.gone, m.h)
		}
	}
	return g, nil
}

// Close closes the descriptors; the group itself stays.
func (g *Group) Close() {
	for _, m := range g.members {
		if m.dir.name != "" {
			m.dir.close()
		}
	}
	g.members = nil
}

// Path returns the group's path below the root of every hierarchy.
func (g *Group) Path() string { return g.path }

// Skipped returns the hierarchies that the group is not in for lack of permission.
func (g *Group) Skipped() []Skipped { return g.skipped }

// Dirs returns the group's directories on the host, by the hierarchy's name.
func (g *Group) Dirs() map[string]string {
	all := map[string]string{}
	for _, m := range g.members {
		all[m.h.Name] = m.dir.name
	}
	return all
}

// Apply carries out a plan. Its error names the file, the value and the errno, or the controller that is missing.
func (g *Group) Apply(writes []Write) error {
	for i := 0; i < len(writes); i++ {
		err := g.write(writes[i])
		if errors.Is(err, unix.EINVAL) && i+1 < len(writes) && limitEachOther(writes[i].File, writes[i+1].File) &&
			g.write(writes[i+1]) == nil {
			if err = g.write(writes[i]); err == nil {
				i++
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// limitEachOther reports whether two files limit each other, so that the right order of writes depends on their present
// values: a memory limit may not exceed that of memory and swap, and a quota with its period may not exceed the
// parent's share.
func limitEachOther(first, second string) bool {
	return first == "memory.limit_in_bytes" && second == "memory.memsw.limit_in_bytes" ||
		first == "cpu.cfs_period_us" && second == "cpu.cfs_quota_us"
}

func (g *Group) write(w Write) error {
	h := g.layout.controllerHierarchy(w.Controller)
	if h == nil {
		return fmt.Errorf("%s: no hierarchy of this host has the controller %s", w, w.Controller)
	}
	m := g.member(h)
	if m == nil {
		return fmt.Errorf("%s: %w", w, g.whyMissing(h))
	}
	err := m.dir.write(w.File, w.Value)
	if errors.Is(err, unix.ENOENT) && g.enableOnHybrid(m, w.Controller) {
		err = m.dir.write(w.File, w.Value)
	}
	if errors.Is(err, unix.EINVAL) && w.File == budgetFile {
		return g.raiseBudget(m, w.Value, err)
	}
	if errors.Is(err, unix.ENOENT) && w.Else != nil {
		if w.Else.File == "" {
			return nil
		}
		return g.write(*w.Else)
	}
	if errors.Is(err, unix.ENOENT) {
		for _, d := range m.disabled {
			if d.controller == w.Controller {
				return fmt.Errorf("%s: the controller %s could not be enabled: %w", w, w.Controller, d.err)
			}
		}
		return fmt.Errorf("%s: the controller %s is not enabled here, or this kernel does not have the file: %w", w,
			w.Controller, err)
	}
	return err
}

func (g *Group) member(h *Hierarchy) *member {
	for i := range g.members {
		if g.members[i].h == h {
			return &g.members[i]
		}
	}
	return nil
}

func (g *Group) whyMissing(h *Hierarchy) error {
	for _, s := range g.skipped {
		if s.Hierarchy.Name == h.Name && s.Hierarchy.V2 == h.V2 {
			return fmt.Errorf("the group could not be created: %w", s.Err)
		}
	}
	return fmt.Errorf("the group is gone from %s: %w", h.Mountpoint, unix.ENOENT)
}
