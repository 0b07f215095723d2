package cgroupfs

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// freezeState is the state of a freezer.
type freezeState int

const (
	thawed   freezeState = iota
	freezing             // requested, but some process has not stopped yet
	frozen
)

// Freeze stops every process of the group, and returns when they have stopped. If that fails, or ctx ends first, it
// thaws the group again and never leaves it half frozen. Only a caller that is killed meanwhile can leave one half
// frozen; it then counts as frozen, and Thaw and Kill undo that.
func (g *Group) Freeze(ctx context.Context) error {
	m := g.freezer()
	if m == nil {
		return g.noFreezer()
	}
	err := m.freeze(ctx)
	if err == nil {
		return nil
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoPatience)
	defer cancel()
	return errors.Join(err, m.thaw(undo))
}

// undoPatience bounds the wait for the thaw after a failed Freeze; the thaw is requested in any case.
const undoPatience = 5 * time.Second

// Thaw lets the processes of the group continue. They cannot if a group above it is frozen; the error names that one.
func (g *Group) Thaw(ctx context.Context) error {
	m := g.freezer()
	if m == nil {
		return g.noFreezer()
	}
	return m.thaw(ctx)
}

// Frozen reports whether the group is frozen, by itself or by a group above it, or about to be.
func (g *Group) Frozen() (bool, error) {
	m := g.freezer()
	if m == nil {
		return false, nil
	}
	return m.isFrozen()
}

// Frozen reports the same for the group at an absolute path, which need not exist, without opening it in every
// hierarchy.
func (l *Layout) Frozen(p string) (bool, error) {
	rel, err := checkPath(p)
	if err != nil {
		return false, err
	}
	for i := range l.Hierarchies {
		m := member{h: &l.Hierarchies[i]}
		if !m.canFreeze(l) {
			continue
		}
		var found bool
		if m.dir, found, err = openGroup(m.h, rel); !found {
			return false, err
		}
		defer m.dir.close()
		return m.isFrozen()
	}
	return false, nil
}

func (m *member) isFrozen() (bool, error) {
	s, err := m.freezeState()
	return s != thawed && err == nil, ignoreGone(err)
}

func (g *Group) noFreezer() error {
	return fmt.Errorf("cgroup %s: no hierarchy that it is in can freeze: %w", g.path, unix.ENOTSUP)
}

// canFreeze reports whether the group is frozen through this member: the one of v1's freezer if there is one, because
// that is where other programs look, else the one of v2.
func (m *member) canFreeze(l *Layout) bool {
	h := l.controllerHierarchy("freezer")
	return h != nil && m.h == h
}

func (g *Group) freezer() *member {
	for i := range g.members {
		if g.members[i].canFreeze(g.layout) {
			return &g.members[i]
		}
	}
	return nil
}

// thawAfter is the number of checks after which a v1 group that does not come to rest is thawed for a moment. Otherwise
// a process that waits for a frozen one in a state that cannot be frozen, as with some file systems, would wait for
// ever.
const thawAfter = 50

// freeze requests the freeze and waits for it. v1 freezes the processes that exist at the time of the write, so it is
// requested again while the state is FREEZING (cgroup-v1/freezer-subsystem.rst).
func (m *member) freeze(ctx context.Context) error {
	file, value := m.freezeFile(true)
	for i := 1; ; i++ {
		if err := m.dir.write(file, value); err != nil {
			return ignoreGone(err)
		}
		s, err := m.freezeState()
		if err != nil || s == frozen {
			return ignoreGone(err)
		}
		if !m.h.V2 && i%thawAfter == 0 {
			if err := m.dir.write(file, "THAWED"); err != nil {
				return ignoreGone(err)
			}
		}
		if err := sleep(ctx); err != nil {
			return fmt.Errorf("%s: not every process stopped: %w", path.Join(m.dir.name, file), err)
		}
	}
}

func (m *member) thaw(ctx context.Context) error {
	file, value := m.freezeFile(false)
	for {
		if err := m.dir.write(file, value); err != nil {
			return ignoreGone(err)
		}
		s, err := m.freezeState()
		if err != nil || s == thawed {
			return ignoreGone(err)
		}
		if above := m.frozenAbove(); above != "" {
			return fmt.Errorf("%s stays frozen: the group above it, %s, is: %w", m.dir.name, above, unix.EBUSY)
		}
		if err := sleep(ctx); err != nil {
			return fmt.Errorf("%s: not thawed yet: %w", path.Join(m.dir.name, file), err)
		}
	}
}

// freezeFile returns the file that freezes or thaws the group, and what to write to it.
func (m *member) freezeFile(freeze bool) (file, value string) {
	switch {
	case m.h.V2 && freeze:
		return "cgroup.freeze", "1"
	case m.h.V2:
		return "cgroup.freeze", "0"
	case freeze:
		return "freezer.state", "FROZEN"
	}
	return "freezer.state", "THAWED"
}

// freezeState reads v1's freezer.state, or v2's cgroup.events for the state and cgroup.freeze for the request. A
// hierarchy that cannot freeze counts as thawed.
func (m *member) freezeState() (freezeState, error) {
	switch {
	case m.h.V2:
		text, err := m.dir.read("cgroup.events")
		if err != nil || strings.Contains(text, "frozen 1") {
			return frozen, err
		}
		text, err = m.dir.read("cgroup.freeze")
		if err != nil || strings.TrimSpace(text) == "1" {
			return freezing, err
		}
	case slices.Contains(m.h.Controllers, "freezer"):
		text, err := m.dir.read("freezer.state")
		if err != nil {
			return frozen, err
		}
		switch strings.TrimSpace(text) {
		case "FROZEN":
			return frozen, nil
		case "FREEZING":
			return freezing, nil
		}
	}
	return thawed, nil
}

// frozenAbove returns the nearest group above this one that is frozen itself, if the mount shows it.
func (m *member) frozenAbove() string {
	file, is := "cgroup.freeze", "1"
	if !m.h.V2 {
		file, is = "freezer.self_freezing", "1"
	}
	if !m.h.V2 {
		if text, err := m.dir.read("freezer.parent_freezing"); err != nil || strings.TrimSpace(text) != "1" {
			return ""
		}
	}
	mount, err := openMount(m.h)
	if err != nil {
		return ""
	}
	defer mount.close()
	all := prefixes(strings.TrimPrefix(m.dir.name, mount.name+"/"))
	for _, p := range slices.Backward(all[:len(all)-1]) {
		if text, err := mount.read(join(p, file)); err == nil && strings.TrimSpace(text) == is {
			return path.Join(mount.name, p)
		}
	}
	if !m.h.V2 {
		return mount.name // the mount's root, or a group above that the mount does not show
	}
	return ""
}
