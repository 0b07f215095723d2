package cgroupfs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Update applies change to a group that has the limits of old, and returns the new limits, for the next Update. Device
// rules that are not v1's are replaced atomically, and stay as they are if change has none.
//
// After an error the group has its previous limits, unless the error says that they could not be restored. With
// CheckMemory on v2, a limit below what the group uses is refused with EBUSY before anything is written.
func (g *Group) Update(old, change *Resources) (*Resources, error) {
	next := old.Merge(change)
	writes, err := Update(g.layout, old, change)
	if err != nil {
		return nil, err
	}
	if err := g.checkMemory(next, change); err != nil {
		return nil, err
	}
	undo, err := g.undo(writes, old, next)
	if err != nil {
		return nil, err
	}
	err = g.Apply(writes)
	if err == nil && !slices.EqualFunc(old.Devices, change.Devices, sameRule) {
		err = g.Rule(change.Devices)
	}
	if err == nil {
		return next, nil
	}
	back := true
	for _, w := range undo {
		if e := g.write(w); e != nil {
			err, back = fmt.Errorf("%w; and the previous limits could not be restored: %w", err, e), false
		}
	}
	if !back {
		return nil, err
	}
	return nil, fmt.Errorf("%w; the limits are unchanged", err)
}

// sameRule reports whether two rules are literally the same.
func sameRule(a, b DeviceRule) bool {
	return a.Allow == b.Allow && a.text() == b.text()
}

// checkMemory refuses a limit below what is used. On v1 the kernel refuses it by itself (cgroup-v1/memory.rst); on v2
// it would kill processes (cgroup-v2.rst, memory.max).
func (g *Group) checkMemory(next, change *Resources) error {
	h := g.layout.controllerHierarchy("memory")
	if !next.CheckMemory || h == nil || !h.V2 || g.member(h) == nil || change.Memory == nil && change.MemorySwap == nil {
		return nil
	}
	d := g.member(h).dir
	memory, err := d.number("memory.current")
	if err != nil {
		return err
	}
	if next.Memory != nil && *next.Memory >= 0 && uint64(*next.Memory) < memory {
		return fmt.Errorf("rejecting memory limit: memory.max of %s: %d is below the %d bytes that are used: %w", d.name,
			*next.Memory, memory, unix.EBUSY)
	}
	if next.MemorySwap == nil || *next.MemorySwap < 0 {
		return nil
	}
	swap, err := d.number("memory.swap.current")
	if err != nil && !errors.Is(err, unix.ENOENT) { // a kernel without swap does not have the file
		return err
	}
	if uint64(*next.MemorySwap) < memory+swap {
		return fmt.Errorf("rejecting memory+swap limit: memory and swap together of %s: %d is below the %d bytes that are "+
			"used: %w", d.name, *next.MemorySwap, memory+swap, unix.EBUSY)
	}
	return nil
}

func (d dir) number(file string) (uint64, error) {
	text, err := d.read(file)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s/%s: %w", d.name, file, err)
	}
	return n, nil
}

// undo returns the writes that restore the present content of the files that writes will change, in reverse order, so
// that the kernel accepts every state on the way.
func (g *Group) undo(writes []Write, old, next *Resources) ([]Write, error) {
	var all []Write
	for _, w := range slices.Backward(writes) {
		if w.Controller == "devices" {
			continue // only to be written; below
		}
		back, err := g.currentValues(w)
		if err != nil {
			return nil, err
		}
		all = append(all, back...)
		if w.File == "cpu.idle" { // which resets the shares (kernel/sched/fair.c, sched_group_set_idle)
			for _, file := range [...]string{"cpu.shares", "cpu.weight"} {
				back, err := g.currentValues(Write{Controller: "cpu", File: file, Else: &Write{}})
				if err != nil {
					return nil, err
				}
				if !idle(old) {
					all = append(all, back...)
				}
			}
		}
	}
	if slices.ContainsFunc(writes, func(w Write) bool { return w.Controller == "devices" }) && len(old.Devices) > 0 {
		p := &planner{layout: g.layout, mode: g.layout.Mode(), r: old}
		if err := p.changeDevices(next.Devices, old.Devices); err != nil {
			return nil, err
		}
		all = append(all, p.writes...)
	}
	return all, nil
}

// currentValues returns the present content of a write's file, as writes. For a file that does not exist it returns
// none; the write itself will report that.
func (g *Group) currentValues(w Write) ([]Write, error) {
	h := g.layout.controllerHierarchy(w.Controller)
	if h == nil || g.member(h) == nil {
		return nil, nil
	}
	m := g.member(h)
	text, err := m.dir.read(w.File)
	if errors.Is(err, unix.ENOENT) && g.enableOnHybrid(m, w.Controller) {
		text, err = m.dir.read(w.File)
	}
	if errors.Is(err, unix.ENOENT) {
		if w.Else != nil && w.Else.File != "" {
			return g.currentValues(*w.Else)
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if value, ok := present(w, text); ok {
		return []Write{{Controller: w.Controller, File: w.File, Value: value}}, nil
	}
	return nil, nil
}
