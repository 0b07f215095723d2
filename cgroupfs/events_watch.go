package cgroupfs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Watch calls f for every event, with Watching first, until the group is empty or gone, and then returns nil; if only
// v1 is mounted, until it is gone. When ctx ends Watch returns its cause. It does not check periodically: one thread
// sleeps in poll(2) on inotify for v2's memory.events and cgroup.events, on an eventfd for v1's memory.oom_control, and
// on pressure triggers, which v2 has on hybrid hosts too. f runs on the caller's goroutine. Events from before the call
// are not reported.
func (g *Group) Watch(ctx context.Context, triggers []Trigger, f func(Event)) error {
	for _, t := range triggers {
		if err := t.check(); err != nil {
			return err
		}
	}
	w := &watch{g: g, tell: f}
	defer w.close()
	if err := w.open(triggers); err != nil {
		if over, e := w.look(); over && e == nil {
			return nil // the group was removed meanwhile
		}
		return err
	}
	stop := context.AfterFunc(ctx, w.wake)
	defer func() {
		if !stop() {
			<-w.woken // the descriptor is still in use
		}
	}()
	f(Event{Kind: Watching})
	for {
		over, err := w.look()
		if err != nil || over {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := w.wait(); err != nil {
			return err
		}
	}
}

// watch is a running Watch. It owns every descriptor in polled.
type watch struct {
	g    *Group
	tell func(Event)

	polled   []unix.PollFd // the first is what wake writes to
	woken    chan struct{} // closed by wake
	inotify  int           // index in polled, as the others; 0: none
	oom      int
	triggers map[int]Trigger

	last   OOM // as last reported
	v2     *member
	memory *member
}

func (w *watch) close() {
	for _, p := range w.polled {
		_ = unix.Close(int(p.Fd))
	}
}

func (w *watch) add(fd int, events int16) int {
	w.polled = append(w.polled, unix.PollFd{Fd: int32(fd), Events: events})
	return len(w.polled) - 1
}

func (w *watch) wake() {
	defer close(w.woken)
	one := binary.NativeEndian.AppendUint64(nil, 1)
	_, _ = unix.Write(int(w.polled[0].Fd), one) // an eventfd does not block here
}

func (w *watch) open(triggers []Trigger) error {
	w.woken, w.triggers = make(chan struct{}), map[int]Trigger{}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd2", err)
	}
	w.add(fd, unix.POLLIN)
	for i := range w.g.members {
		if m := &w.g.members[i]; m.h.V2 {
			w.v2 = m
		}
	}
	if h := w.g.layout.controllerHierarchy("memory"); h != nil {
		w.memory = w.g.member(h)
	}
	if err := w.openInotify(); err != nil {
		return err
	}
	if w.memory != nil && !w.memory.h.V2 {
		if err := w.openOOM(); err != nil {
			return err
		}
	}
	for _, t := range triggers {
		if err := w.openTrigger(t); err != nil {
			return err
		}
	}
	w.last, err = w.g.OOM()
	return err
}

// openInotify watches the files for which the kernel reports changes (kernel/cgroup/cgroup.c, cgroup_file_notify). It
// delays the report of a change that soon follows another, and drops it if the group is removed first; so the parent
// directory is watched for the removal.
func (w *watch) openInotify() error {
	if w.v2 == nil {
		return nil
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("inotify_init1", err)
	}
	w.inotify = w.add(fd, unix.POLLIN)
	for file, mask := range map[string]uint32{"cgroup.events": unix.IN_MODIFY, "memory.events": unix.IN_MODIFY,
		"..": unix.IN_DELETE} {
		// By the directory's descriptor, so that it is this group and not a newer one at the same path.
		path := "/proc/self/fd/" + strconv.Itoa(w.v2.dir.fd) + "/" + file
		_, err := unix.InotifyAddWatch(fd, path, mask)
		if err != nil && err != unix.ENOENT { // without its controller there is no memory.events
			return &os.PathError{Op: "inotify_add_watch", Path: w.v2.dir.name + "/" + file, Err: err}
		}
	}
	return nil
}

// openOOM registers an eventfd with v1 (cgroup-v1/memory.rst, "OOM Control"). It is also signalled when the group is
// removed.
func (w *watch) openOOM() error {
	d := w.memory.dir
	control, err := d.openat("memory.oom_control", unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(control)
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd2", err)
	}
	w.oom = w.add(fd, unix.POLLIN)
	return d.write("cgroup.event_control", strconv.Itoa(fd)+" "+strconv.Itoa(control))
}

// openTrigger sets up a trigger, which lasts as long as its descriptor.
func (w *watch) openTrigger(t Trigger) error {
	if w.v2 == nil {
		return fmt.Errorf("pressure trigger of %s: the group is in no v2 hierarchy, and v1 has none: %w", t.Resource,
			unix.ENOTSUP)
	}
	file := t.Resource + ".pressure"
	fd, err := w.v2.dir.openat(file, unix.O_RDWR|unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	w.triggers[w.add(fd, unix.POLLPRI)] = t
	if _, err := unix.Write(fd, append([]byte(t.String()), 0)); err != nil {
		hint := ""
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
			hint = " (without CAP_SYS_RESOURCE the window must be a multiple of 2s)"
		}
		return fmt.Errorf("%w%s", &os.PathError{Op: fmt.Sprintf("write %q to", t.String()),
			Path: path.Join(w.v2.dir.name, file), Err: err}, hint)
	}
	return nil
}

// wait sleeps until something happens, and handles it.
func (w *watch) wait() error {
	for {
		_, err := unix.Poll(w.polled, -1)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
	}
	for i := range w.polled {
		p := &w.polled[i]
		t, isTrigger := w.triggers[i]
		switch {
		case p.Revents == 0:
		case isTrigger && p.Revents&unix.POLLERR != 0:
			p.Fd, p.Events = w.dead(p.Fd), 0 // the group is being removed
		case isTrigger:
			w.tell(Event{Kind: PressureHigh, Trigger: t})
		default:
			w.drain(i)
		}
	}
	return nil
}

// dead closes a descriptor whose group is gone, and returns -1, which poll(2) ignores.
func (w *watch) dead(fd int32) int32 {
	_ = unix.Close(int(fd))
	return -1
}

// drain consumes a notification; look finds out what it means. Only that of v1's memory.oom_control is an event by
// itself, since it comes whether or not a process was killed.
func (w *watch) drain(i int) {
	var buf [4096]byte
	for {
		n, err := unix.Read(int(w.polled[i].Fd), buf[:])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			return
		}
		if i == w.oom {
			w.signalled()
			return
		}
	}
}

// signalled reports v1's out-of-memory notification, unless the removal of the group caused it.
func (w *watch) signalled() {
	if _, err := w.memory.dir.read("memory.oom_control"); err != nil {
		return
	}
	if o, err := w.g.OOM(); err == nil {
		w.last = o
	}
	w.tell(Event{Kind: OutOfMemory, Kills: w.last.Kills})
}

// look compares the group with what was last reported, and says whether the watch is over.
func (w *watch) look() (over bool, err error) {
	if w.memory != nil {
		o, err := w.g.OOM()
		if err != nil {
			return false, err
		}
		if o.Kills > w.last.Kills {
			w.last = o
			if w.oom == 0 {
				w.tell(Event{Kind: OutOfMemory, Kills: o.Kills})
			}
		}
	}
	if w.v2 != nil {
		text, err := w.v2.dir.read("cgroup.events")
		if err != nil {
			return true, ignoreGone(err)
		}
		return !strings.Contains(text, "populated 1"), nil
	}
	if len(w.g.members) == 0 {
		return true, nil
	}
	_, err = w.g.members[0].dir.read("cgroup.procs")
	return err != nil, ignoreGone(err)
}
