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

// poll is how often something is looked at again that the kernel does in its own time.
const poll = 2 * time.Millisecond

// Freeze stops every process of the group, and returns when they have stopped. If ctx ends first the group is thawed again: a group half frozen is never left behind.
func (g *Group) Freeze(ctx context.Context) error {
	err := g.setFrozen(ctx, true)
	if err != nil {
		err = errors.Join(err, g.Thaw(context.WithoutCancel(ctx)))
	}
	return err
}

// Thaw lets the processes of the group go on.
func (g *Group) Thaw(ctx context.Context) error { return g.setFrozen(ctx, false) }

func (g *Group) freezer() *member {
	for i := range g.members {
		if g.members[i].h.V2 && g.layout.Mode() == V2 || slices.Contains(g.members[i].h.Controllers, "freezer") {
			return &g.members[i]
		}
	}
	return nil
}

func (g *Group) setFrozen(ctx context.Context, frozen bool) error {
	m := g.freezer()
	if m == nil {
		return errors.New("no hierarchy of the group can freeze")
	}
	file, value := "freezer.state", "THAWED"
	switch {
	case m.h.V2 && frozen:
		file, value = "cgroup.freeze", "1"
	case m.h.V2:
		file, value = "cgroup.freeze", "0"
	case frozen:
		value = "FROZEN"
	}
	for {
		// v1 freezes what it finds at the time of the write, and is asked again while it is FREEZING (cgroup-v1/freezer-subsystem.rst).
		if err := m.dir.write(file, value); err != nil {
			return gone(err)
		}
		now, err := m.frozen()
		if err != nil || now == frozen {
			return gone(err)
		}
		if err := sleep(ctx); err != nil {
			return fmt.Errorf("%s: %w", path.Join(m.dir.name, file), err)
		}
	}
}

// Frozen reports whether the group is frozen, wholly.
func (g *Group) Frozen() (bool, error) {
	m := g.freezer()
	if m == nil {
		return false, nil
	}
	frozen, err := m.frozen()
	return frozen, gone(err)
}

func (m *member) frozen() (bool, error) {
	switch {
	case m.h.V2:
		text, err := m.dir.read("cgroup.events")
		return strings.Contains(text, "frozen 1"), err
	case slices.Contains(m.h.Controllers, "freezer"):
		text, err := m.dir.read("freezer.state")
		return strings.TrimSpace(text) == "FROZEN", err
	}
	return false, nil
}

// thawed reports whether nothing of the group is frozen or on the way there.
func (m *member) thawed() (bool, error) {
	switch {
	case m.h.V2:
		text, err := m.dir.read("cgroup.freeze")
		return strings.TrimSpace(text) == "0", err
	case slices.Contains(m.h.Controllers, "freezer"):
		text, err := m.dir.read("freezer.state")
		return strings.TrimSpace(text) == "THAWED", err
	}
	return true, nil
}

func sleep(ctx context.Context) error {
	t := time.NewTimer(poll)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// Kill ends every process in the group and below it with SIGKILL, and returns when none is left: by cgroup.kill where there is one (Linux 5.14), which no fork escapes; else again and again until the group is
// empty, frozen meanwhile if it can be.
func (g *Group) Kill(ctx context.Context) error {
	if len(g.members) == 0 {
		return nil
	}
	t := g.tracker()
	byKernel := t.h.V2 && t.dir.write("cgroup.kill", "1") == nil
	for {
		if byKernel {
			if err := g.thawV1(); err != nil {
				return err
			}
		}
		pids, err := g.Procs()
		if err != nil || len(pids) == 0 {
			return err
		}
		if !byKernel {
			g.signal(ctx, pids)
		}
		if err := sleep(ctx); err != nil {
			return fmt.Errorf("%d processes are left in cgroup %s: %w", len(pids), g.path, err)
		}
	}
}

// signal kills what it is told while the group cannot fork, and lets it go on, for a frozen process does not end on v1.
func (g *Group) signal(ctx context.Context, pids []int) {
	brief, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if g.setFrozen(brief, true) == nil {
		if now, err := g.Procs(); err == nil {
			pids = now
		}
	}
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	_ = g.thawV1()
	_ = g.Thaw(context.WithoutCancel(ctx))
}

// thawV1 thaws the group and all below it in v1's freezer, without waiting: a process that is frozen there does not even die, not by cgroup.kill of a hybrid host's v2 either. A group below may have been
// frozen by the container itself.
func (g *Group) thawV1() error {
	m := g.freezer()
	if m == nil || m.h.V2 {
		return nil
	}
	return thawBelow(m.dir, 0)
}

func thawBelow(d dir, depth int) error {
	if err := d.write("freezer.state", "THAWED"); err != nil {
		return gone(err)
	}
	names, err := d.groups()
	if err != nil || depth == maxDepth {
		return gone(err)
	}
	for _, n := range names {
		sub, err := d.sub(n)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		err = thawBelow(sub, depth+1)
		sub.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// OOMKilled reports whether the kernel has killed a process of the group for want of memory.
func (g *Group) OOMKilled() (bool, error) {
	h := g.layout.find("memory")
	if h == nil {
		return false, nil
	}
	m := g.member(h)
	if m == nil {
		return false, nil
	}
	file := "memory.oom_control"
	if h.V2 {
		file = "memory.events"
	}
	text, err := m.dir.read(file)
	if err != nil {
		return false, gone(err)
	}
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			return n != "0", nil
		}
	}
	return false, nil
}

// Delete removes the group and those below it from every hierarchy, and the parents that were made for it, as far as they are empty. Processes that have ended and are not yet gone from the group keep it
// busy for a moment: that is waited for until ctx ends. A group that is gone already is no error.
func (g *Group) Delete(ctx context.Context) error {
	var errs []error
	for i := range g.members {
		if err := g.members[i].remove(ctx, g.path[1:]); err != nil {
			errs = append(errs, err)
			continue
		}
		g.removeParents(&g.members[i])
	}
	return errors.Join(errs...)
}

// own is the parent that only this package's users have: it goes with the last group in it.
const own = "handfast"

func (g *Group) removeParents(m *member) {
	all := prefixes(g.path[1:])
	for i := len(all) - 2; i >= 0; i-- {
		if len(all)-i > m.depth && all[i] != own {
			return
		}
		if m.mount.rmdir(all[i]) != nil {
			return // somebody else's groups are in it, or they came first and it is gone
		}
	}
}

func (m *member) remove(ctx context.Context, rel string) error {
	for {
		err := m.mount.rmdir(rel)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		if err := removeBelow(m.dir, 0); err != nil && !errors.Is(err, unix.EBUSY) {
			return err
		}
		if m.mount.rmdir(rel) == nil {
			return nil
		}
		if e := sleep(ctx); e != nil {
			return fmt.Errorf("%w (%w)", err, e)
		}
	}
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
