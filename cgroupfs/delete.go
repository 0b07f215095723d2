package cgroupfs

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Delete removes the group and those below it from every hierarchy, and the parents that were made for it if they are
// empty. Processes that have ended but are still in the group keep it busy for a moment; Delete waits for them until
// ctx ends. It is not an error if the group is gone already.
func (g *Group) Delete(ctx context.Context) error {
	if g.below {
		return fmt.Errorf("cgroup %s: a group that Sub has opened cannot be removed through it: %w", g.path, unix.EINVAL)
	}
	var errs []error
	for i := range g.members {
		if err := g.members[i].remove(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := g.removeParents(&g.members[i]); err != nil {
			errs = append(errs, err)
		}
	}
	for _, h := range g.gone {
		if g.made > 1 {
			errs = append(errs, undoIn(h, g.path[1:], g.made))
		}
	}
	return errors.Join(errs...)
}

// rmdir removes the group at one of the path's prefixes, the last of which is m itself. It resolves ".." from the
// group's own directory, so that a Group needs no descriptor of the mount.
func (m *member) rmdir(all []string, i int) error {
	m.returnBudget(strings.Repeat("../", len(all)-i-1))
	return m.dir.rmdir(strings.Repeat("../", len(all)-i) + path.Base(all[i]))
}

// ownParent is the name of a parent group that belongs to this package: it is removed together with the last group in
// it.
const ownParent = "handfast"

func (g *Group) removeParents(m *member) error {
	all := prefixes(g.path[1:])
	for i := len(all) - 2; i >= 0; i-- {
		if len(all)-i > m.depth {
			if all[i] == ownParent {
				_ = m.rmdir(all, i) // another process may have removed it
			}
			return nil
		}
		err := m.rmdir(all, i)
		if inUse(err) || errors.Is(err, unix.ENOENT) {
			return nil // it holds groups of another process, or that one has removed it
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inUse reports whether an error of rmdir(2) means that the group holds a process or a group.
func inUse(err error) bool { return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) }

func (m *member) remove(ctx context.Context) error {
	self := "../" + path.Base(m.dir.name)
	m.returnBudget("")
	for {
		err := m.dir.rmdir(self)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		if err := removeBelow(m.dir, 0); err != nil && !errors.Is(err, unix.EBUSY) {
			return err
		}
		if m.dir.rmdir(self) == nil {
			return nil
		}
		if e := sleep(ctx); e != nil {
			return fmt.Errorf("%w: %s (%w)", err, m.holders(), e)
		}
	}
}

// holders says what keeps a group busy.
func (m *member) holders() string {
	pids, err := procs(m.dir, nil, 0)
	if err != nil || len(pids) == 0 {
		return "its processes have ended, but the kernel has not yet removed them from it"
	}
	if len(pids) > 1 {
		return fmt.Sprintf("process %d and %d more are in it", pids[0], len(pids)-1)
	}
	return fmt.Sprintf("process %d is in it", pids[0])
}

// removeBelow removes every group below d, the deepest first.
func removeBelow(d dir, depth int) error {
	names, err := d.groups()
	if err != nil || depth == maxDepth {
		return ignoreGone(err)
	}
	for _, n := range names {
		if d.rmdir(n) == nil {
			continue
		}
		sub, err := d.sub(n)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		err = removeBelow(sub, depth+1)
		sub.close()
		if err != nil {
			return err
		}
		if err := d.rmdir(n); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}
