package cgroupfs

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Delete removes the group and those below it from every hierarchy, and the parents that were made for it, as far as
// they are empty. Processes that have ended and are not yet gone from the group keep it busy for a moment: that is
// waited for until ctx ends. A group that is gone already is no error.
func (g *Group) Delete(ctx context.Context) error {
	if g.below {
		return fmt.Errorf("cgroup %s: a group that Sub has opened is not removed by who opened it: %w", g.path, unix.EINVAL)
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

// rmdir removes the group at one of the path's prefixes, of which the last is m itself: from its own directory upwards,
// so that a Group holds one descriptor for each hierarchy and not the mount's too.
func (m *member) rmdir(all []string, i int) error {
	return m.dir.rmdir(strings.Repeat("../", len(all)-i) + path.Base(all[i]))
}

// own is the parent that only this package's users have: it goes with the last group in it.
const own = "handfast"

func (g *Group) removeParents(m *member) error {
	all := prefixes(g.path[1:])
	for i := len(all) - 2; i >= 0; i-- {
		if len(all)-i > m.depth {
			if all[i] == own {
				_ = m.rmdir(all, i) // it may be somebody else's to remove
			}
			return nil
		}
		err := m.rmdir(all, i)
		if theirs(err) || errors.Is(err, unix.ENOENT) {
			return nil // somebody else's groups are in it, or they came first and it is gone
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// theirs says whether an error of rmdir(2) means that somebody has put a process or a group into the group.
func theirs(err error) bool { return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) }

func (m *member) remove(ctx context.Context) error {
	self := "../" + path.Base(m.dir.name)
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

// holders says who keeps a group busy.
func (m *member) holders() string {
	pids, err := procs(m.dir, nil, 0)
	if err != nil || len(pids) == 0 {
		return "its processes have ended and are not gone from it yet"
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
		return gone(err)
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
