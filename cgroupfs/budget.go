package cgroupfs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The files of a realtime budget, Documentation/scheduler/sched-rt-group.rst. The budgets of a group's children
// together may not exceed its own, and a new group has none.
const (
	budgetFile = "cpu.rt_runtime_us"
	periodFile = "cpu.rt_period_us"
)

// budget is the time that realtime threads may run in each period, both in microseconds. A runtime below zero is no
// limit.
type budget struct{ runtime, period int64 }

// budgetWait is how long a budget that should fit by what the files say is tried again.
const budgetWait = time.Second

// scaledTo returns the runtime that is the same share of another period, rounded up.
func (b budget) scaledTo(period int64) int64 {
	if b.runtime < 0 || b.period <= 0 {
		return period
	}
	return (b.runtime*period + b.period - 1) / b.period
}

// raiseBudget writes want to the group's runtime after it has raised the budgets above as needed, but only those of
// groups that were created for this one or belong to this package. If a group of another owner has too little, the
// error, which begins with refused, says what to do. Other processes may change budgets at the same time, and the
// kernel counts the budget of a removed group until its last zombie is reaped and a grace period of RCU is over, though
// no file shows it any more. So it tries for as long as budgetWait. See returnBudget.
func (g *Group) raiseBudget(m *member, want string, refused error) error {
	mount, err := openMount(m.h)
	if err != nil {
		return errors.Join(refused, err)
	}
	defer mount.close()
	runtime, err := strconv.ParseInt(want, 10, 64)
	if err != nil {
		return refused
	}
	for pause, waited := time.Millisecond, time.Duration(0); ; pause *= 2 {
		raise, err := g.budgetsToRaise(mount, m, runtime, refused)
		if err != nil {
			return err
		}
		for i := len(raise) - 1; i >= 0 && err == nil; i-- {
			err = mount.write(raise[i].File, raise[i].Value)
		}
		if err == nil {
			err = m.dir.write(budgetFile, want)
		}
		if !errors.Is(err, unix.EINVAL) || waited > budgetWait {
			return err
		}
		time.Sleep(pause)
		waited += pause
	}
}

// budgetsToRaise walks up to the first group with enough budget, and returns what those below it need, the lowest
// first.
func (g *Group) budgetsToRaise(mount dir, m *member, runtime int64, refused error) ([]Write, error) {
	all := prefixes(g.path[1:])
	period, err := readBudget(mount, all[len(all)-1])
	if err != nil {
		return nil, errors.Join(refused, err)
	}
	needs := budget{runtime, period.period}
	var raise []Write
	for i := len(all) - 2; ; i-- {
		parent := ""
		if i >= 0 {
			parent = all[i]
		}
		has, taken, err := budgets(mount, parent, all[i+1], needs)
		if err != nil {
			return nil, errors.Join(refused, err)
		}
		if has.runtime < 0 || taken <= has.runtime {
			return raise, nil
		}
		if i < 0 || len(all)-i > m.depth && all[i] != ownParent {
			return nil, fmt.Errorf("%w (the group above, %s, has a realtime budget of %d us in %d, and %d would be "+
				"needed: write more to its %s, request less, or choose another path)",
				refused, strings.TrimSuffix(mount.name+"/"+parent, "/"), has.runtime, has.period, taken, budgetFile)
		}
		needs = budget{taken, has.period}
		raise = append(raise, Write{File: join(parent, budgetFile), Value: strconv.FormatInt(taken, 10)})
	}
}

// returnBudget takes the realtime budget from a group that is about to be removed; rel is "", or leads from m's group
// up to one above it. The kernel would count it until the group's last process is reaped, which may be long after, and
// not by this process. An error means that there is no budget, or that it is still in use.
func (m *member) returnBudget(rel string) {
	if m.h.V2 || !slices.Contains(m.h.Controllers, "cpu") {
		return
	}
	// Not by the methods of dir, which never lead out of the group.
	fd, err := unix.Openat(m.dir.fd, rel+budgetFile, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	_, _ = unix.Write(fd, []byte("0"))
	_ = unix.Close(fd)
}

// budgets returns the budget of parent, and how much of it, in its own period, its children would use if child had what
// it needs.
func budgets(mount dir, parent, child string, needs budget) (has budget, taken int64, err error) {
	if has, err = readBudget(mount, parent); err != nil {
		return has, 0, err
	}
	d, err := mount.sub(parent)
	if err != nil {
		return has, 0, err
	}
	defer d.close()
	names, err := d.groups()
	if err != nil {
		return has, 0, err
	}
	taken = needs.scaledTo(has.period)
	for _, n := range names {
		if join(parent, n) == child {
			continue
		}
		b, err := readBudget(d, n)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
			continue // it is gone
		}
		if err != nil {
			return has, 0, err
		}
		taken += b.scaledTo(has.period)
	}
	return has, taken, nil
}

func readBudget(d dir, rel string) (b budget, err error) {
	for _, f := range [...]struct {
		file string
		into *int64
	}{{budgetFile, &b.runtime}, {periodFile, &b.period}} {
		text, err := d.read(join(rel, f.file))
		if err != nil {
			return b, err
		}
		if *f.into, err = strconv.ParseInt(strings.TrimSpace(text), 10, 64); err != nil {
			return b, fmt.Errorf("%s of the group %s: %q is not a number: %w", f.file, rel, text, err)
		}
	}
	return b, nil
}
