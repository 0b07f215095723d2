package cgroupfs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Create creates the group at an absolute path below the root of every hierarchy. An existing group is used if it is
// empty and not frozen; otherwise the error is ErrNotEmpty or ErrFrozen. A hierarchy that the caller may not write to
// is skipped, and listed in Skipped. After any other error everything that Create has made is removed again. The caller
// closes the Group.
func Create(l *Layout, p string) (*Group, error) {
	rel, err := checkPath(p)
	if err != nil {
		return nil, err
	}
	if len(l.Hierarchies) == 0 {
		return nil, errors.New("no cgroup file system is mounted on this host")
	}
	return inEveryHierarchy(l, p, func(h *Hierarchy) (member, error) { return create(l, h, rel) })
}

// inEveryHierarchy makes a Group of the members that one returns for each hierarchy. It skips a hierarchy for which one
// reports missing permission; after any other error it removes what was made.
func inEveryHierarchy(l *Layout, p string, one func(*Hierarchy) (member, error)) (*Group, error) {
	g := &Group{layout: l, path: p}
	for i := range l.Hierarchies {
		m, err := one(&l.Hierarchies[i])
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS) {
			g.skipped = append(g.skipped, Skipped{l.Hierarchies[i], err})
			continue
		}
		if err != nil {
			g.remove()
			return nil, err
		}
		m.depth = len(m.made)
		g.members = append(g.members, m)
	}
	return g, nil
}

// remove removes what inEveryHierarchy made.
func (g *Group) remove() {
	for _, m := range g.members {
		m.undoMade(g.path[1:])
	}
	g.Close()
}

func (m *member) undo() {
	for _, p := range slices.Backward(m.made) {
		_ = m.mount.rmdir(p)
	}
}

// undoMade does what undo does once the group is open and the mount is closed.
func (m *member) undoMade(rel string) {
	all := prefixes(rel)
	for i, p := range slices.Backward(all) {
		if slices.Contains(m.made, p) {
			_ = m.rmdir(all, i)
		}
	}
}

// create creates the group in one hierarchy.
func create(l *Layout, h *Hierarchy, rel string) (m member, err error) {
	m.h = h
	enable := l.Mode() == V2
	if m.mount, err = openMount(h); err != nil {
		return m, err
	}
	defer func() {
		if err != nil {
			m.undo()
		}
		m.mount.close()
	}()
	// mkdirs creates the group and its parents. It tries again if the removal of another group takes a parent away
	// meanwhile.
	for range 10 {
		if err = m.mkdirs(rel, enable); !errors.Is(err, unix.ENOENT) {
			break
		}
	}
	if err != nil {
		return m, err
	}
	if m.dir, err = m.mount.sub(rel); err != nil {
		return m, err
	}
	if len(m.made) == 0 {
		err = m.checkUnused()
	}
	if err == nil && h.V2 {
		err = m.checkCanHoldProcesses()
	}
	if err == nil && m.canFreeze(l) {
		err = m.checkNotFrozen()
	}
	if err != nil {
		m.dir.close()
	}
	return m, err
}

func (m *member) mkdirs(rel string, enable bool) error {
	if !enable {
		// Usually all parents exist.
		err := m.mkdir(rel)
		if err == nil || errors.Is(err, unix.EEXIST) {
			return m.initCpuset(rel)
		}
		if !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	parent := ""
	for _, p := range prefixes(rel) {
		if enable {
			if err := m.enable(parent); err != nil {
				return err
			}
		}
		if err := m.mkdir(p); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		parent = p
	}
	return m.initCpuset(rel)
}

// disabled is a controller that could not be enabled for the group, and why.
type disabled struct {
	controller string
	err        error
}

// explain adds to an error of a write to cgroup.subtree_control what the kernel means by it.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w: that group holds processes itself, so it cannot enable controllers for groups below it "+
			"(cgroup-v2.rst, \"No Internal Process Constraint\")", err)
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("%w: that group is threaded, and this controller is not", err)
	}
	return err
}

func (m *member) mkdir(p string) error {
	err := m.mount.mkdir(p)
	if err == nil {
		m.made = append(m.made, p)
	}
	return err
}

// initCpuset copies the processors and memory nodes of the parent to a v1 cpuset group that has none, because such a
// group cannot hold processes (cgroup-v1/cpusets.rst). It does the parent first, which another program may just have
// created without values.
func (m *member) initCpuset(p string) error {
	if !slices.Contains(m.h.Controllers, "cpuset") {
		return nil
	}
	for _, file := range [...]string{"cpuset.cpus", "cpuset.mems"} {
		if _, err := m.inherit(p, file); err != nil {
			return err
		}
	}
	return nil
}

func (m *member) inherit(p, file string) (string, error) {
	value, err := m.mount.read(join(p, file))
	if value = strings.TrimSpace(value); err != nil || value != "" || p == "" {
		return value, err
	}
	parent := p[:max(strings.LastIndexByte(p, '/'), 0)]
	if value, err = m.inherit(parent, file); err != nil || value == "" {
		return value, err
	}
	return value, m.mount.write(join(p, file), value)
}

// enable enables every controller that parent has for the groups below it (cgroup-v2.rst, "Enabling and Disabling"). A
// controller that cannot be enabled is not an error here: a limit that needs it will fail, and say why.
func (m *member) enable(parent string) error {
	have, err := m.mount.read(join(parent, "cgroup.controllers"))
	if err != nil {
		return err
	}
	on, err := m.mount.read(join(parent, "cgroup.subtree_control"))
	if err != nil {
		return err
	}
	enabled := strings.Fields(on)
	var missing []string
	for _, c := range strings.Fields(have) {
		if !slices.Contains(enabled, c) {
			missing = append(missing, "+"+c)
		}
	}
	if len(missing) == 0 || m.mount.write(join(parent, "cgroup.subtree_control"), strings.Join(missing, " ")) == nil {
		return nil
	}
	for _, c := range missing {
		if err := m.mount.write(join(parent, "cgroup.subtree_control"), c); err != nil {
			m.disabled = append(m.disabled, disabled{c[1:], explain(err)})
		}
	}
	return nil
}

// checkCanHoldProcesses refuses a group that cannot hold processes because a group above it is threaded (cgroup-v2.rst,
// "Threads").
func (m *member) checkCanHoldProcesses() error {
	text, err := m.dir.read("cgroup.type")
	kind := strings.TrimSpace(text)
	if err != nil || kind != "domain invalid" && kind != "threaded" {
		return ignoreGone(err) // before Linux 4.14 all groups are domains
	}
	return fmt.Errorf("cgroup %s is %q: it cannot hold processes, as the group above it is threaded; choose a path "+
		"elsewhere: %w", m.dir.name, kind, unix.EOPNOTSUPP)
}

// Errors of Create about a group that exists. The words are runc's, because its users look for them.
var (
	ErrNotEmpty = errors.New("container's cgroup is not empty")
	ErrFrozen   = errors.New("container's cgroup unexpectedly frozen")
)

// checkNotFrozen refuses a group that is frozen or freezing, by itself or by a group above it: a process in it would
// stop at once.
func (m *member) checkNotFrozen() error {
	s, err := m.freezeState()
	if err != nil || s == thawed {
		return err
	}
	if above := m.frozenAbove(); above != "" {
		return fmt.Errorf("%w: cgroup %s would be, as %s is: %w", ErrFrozen, m.dir.name, above, unix.EBUSY)
	}
	return fmt.Errorf("%w: cgroup %s exists: %w", ErrFrozen, m.dir.name, unix.EBUSY)
}

// checkUnused refuses a group that has a process in it or anywhere below.
func (m *member) checkUnused() error {
	pids, err := procs(m.dir, nil, 0)
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		return fmt.Errorf("%w: cgroup %s exists and holds %d processes, %d the first: %w",
			ErrNotEmpty, m.dir.name, len(pids), pids[0], unix.EBUSY)
	}
	return nil
}

func join(rel, file string) string {
	if rel == "" {
		return file
	}
	return rel + "/" + file
}
