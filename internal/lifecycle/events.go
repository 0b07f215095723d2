package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/cgroupdriver"
	"github.com/handfast/handfast/internal/oci/state"
)

// EventsOptions are the options of the command events.
type EventsOptions struct {
	Interval time.Duration // between two readings of the statistics; more than zero
	Once     bool          // read the statistics once and return
	Pressure []cgroupfs.Trigger
}

// Events writes a container's statistics and the events of its group, each as a line of JSON, until the container
// ends.
func (r *Runtime) Events(ctx context.Context, id string, o EventsOptions, out io.Writer) error {
	s, err := r.measurable(id)
	if err != nil {
		return err
	}
	existing := r.group(s)
	group, err := existing.Open()
	if err != nil {
		return err
	}
	defer group.Close()
	f := &follower{meter: meter{state: s, group: group}, out: out}
	if o.Once {
		return f.stats()
	}
	return f.follow(ctx, existing, o)
}

// measurable returns the state of a container that has statistics.
func (r *Runtime) measurable(id string) (*state.State, error) {
	s, err := r.load(id)
	if err != nil {
		return nil, err
	}
	status, err := r.status(s, false)
	if err != nil {
		return nil, err
	}
	if !hasProcess(status) {
		return nil, fmt.Errorf("container with id %s is not running: it is %s", id, status)
	}
	if s.CgroupPath == "" {
		return nil, fmt.Errorf("container %s has no cgroup of its own, so there are no statistics of it", id)
	}
	return s, nil
}

// hasProcess reports whether a container with this status has a process whose statistics are its own.
func hasProcess(status string) bool { return status != state.Stopped && status != state.Creating }

// meter reads the statistics of one container, again and again into the same memory.
type meter struct {
	state *state.State
	group *cgroupfs.Group

	buffer     cgroupfs.Stats
	interfaces []cgroupfs.NetworkInterface
}

// read takes a reading. A container that has just ended has no network statistics.
func (m *meter) read() error {
	if err := m.group.Stats(&m.buffer); err != nil {
		return err
	}
	m.interfaces = m.interfaces[:0]
	if ownNetwork(m.state.PID) {
		var err error
		if m.interfaces, err = cgroupfs.Network(m.interfaces, m.state.PID); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

// follower prints the statistics and events of one container.
type follower struct {
	meter
	out io.Writer
}

// stats prints one reading of the statistics.
func (f *follower) stats() error {
	if err := f.read(); err != nil {
		return err
	}
	line, err := eventLine("stats", f.state.ID, statsData(&f.buffer, f.interfaces))
	return f.print(line, err)
}

func (f *follower) print(line string, err error) error {
	if err == nil {
		_, err = io.WriteString(f.out, line)
	}
	return err
}

// follow prints readings and events in turn until the container has ended. The watch has a Group of its own,
// because a Group must be used by one goroutine only.
func (f *follower) follow(ctx context.Context, existing *cgroupdriver.Existing, o EventsOptions) error {
	watched, err := existing.Open()
	if err != nil {
		return err
	}
	defer watched.Close()
	h, err := openProcess(f.state.PID, f.state.StartTime)
	if err != nil {
		return err
	}
	defer h.close()
	return f.beside(ctx, h, func(ctx context.Context, told chan<- cgroupfs.Event, quit <-chan struct{}) error {
		return watched.Watch(ctx, o.Pressure, func(e cgroupfs.Event) {
			select {
			case told <- e:
			case <-quit:
			}
		})
	}, o.Interval)
}

// beside prints while watch runs. The watch ends at the latest with the container's process, and the events that it
// reports at that moment are still printed.
func (f *follower) beside(ctx context.Context, h *handle, watch func(context.Context, chan<- cgroupfs.Event,
	<-chan struct{}) error, interval time.Duration) error {
	ended := errors.New("the container has ended")
	ctx, stop := context.WithCancelCause(ctx)
	told, quit, over, waited := make(chan cgroupfs.Event), make(chan struct{}), make(chan struct{}), make(chan struct{})
	var watchErr error
	go func() {
		defer close(over)
		watchErr = watch(ctx, told, quit)
	}()
	go func() {
		defer close(waited)
		if h.wait(ctx) == nil {
			stop(ended)
		}
	}()
	err := f.turns(interval, told, over)
	close(quit)
	stop(ended)
	<-over
	<-waited
	if err == nil && watchErr != ended {
		err = watchErr
	}
	return err
}

// turns prints events and readings as they come until over is closed, or until printing fails. The first reading
// comes one interval after the watch has begun, so that someone who has seen a reading misses no event.
func (f *follower) turns(interval time.Duration, told <-chan cgroupfs.Event, over <-chan struct{}) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	ticks := (<-chan time.Time)(nil)
	for {
		select {
		case e := <-told:
			if e.Kind == cgroupfs.Watching {
				tick.Reset(interval)
				ticks = tick.C
				continue
			}
			if err := f.print(groupEvent(f.state.ID, e)); err != nil {
				return err
			}
		case <-over:
			return nil
		case <-ticks:
			if err := f.stats(); err != nil && !gone(err) {
				return err
			}
		}
	}
}

// gone reports whether an error only means that the container, and its files with it, has just ended.
func gone(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrProcessDone) }

// ownNetwork reports whether a process has another network namespace than this one. Otherwise its interfaces are
// the host's and not the container's.
func ownNetwork(pid int) bool {
	own, err := os.Readlink("/proc/self/ns/net")
	theirs, e := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/net")
	return err == nil && e == nil && own != theirs
}

// ParseTriggers parses pressure triggers that are separated by commas: RESOURCE=STALL/WINDOW or
// RESOURCE:full=STALL/WINDOW, such as memory=150ms/2s.
func ParseTriggers(text string) ([]cgroupfs.Trigger, error) {
	var all []cgroupfs.Trigger
	if text == "" {
		return nil, nil
	}
	for one := range strings.SplitSeq(text, ",") {
		name, times, found := strings.Cut(one, "=")
		stall, window, both := strings.Cut(times, "/")
		t := cgroupfs.Trigger{Resource: name}
		t.Resource, t.Full = strings.CutSuffix(name, ":full")
		var err, e error
		t.Stall, err = time.ParseDuration(stall)
		t.Window, e = time.ParseDuration(window)
		if !found || !both || err != nil || e != nil {
			return nil, fmt.Errorf("pressure %q: want RESOURCE=STALL/WINDOW such as memory=150ms/2s or io:full=100ms/2s", one)
		}
		all = append(all, t)
	}
	return all, nil
}
