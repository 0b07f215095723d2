package cgroupfs_test

import (
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
)

// watching runs Watch beside the test, whose events it gives.
func watching(t *testing.T, ctx context.Context, g *cgroupfs.Group,
	triggers ...cgroupfs.Trigger) (events chan cgroupfs.Event, done chan error) {
	t.Helper()
	events, done = make(chan cgroupfs.Event, 1000), make(chan error, 1)
	go func() { done <- g.Watch(ctx, triggers, func(e cgroupfs.Event) { events <- e }) }()
	select {
	case e := <-events:
		if e.Kind != cgroupfs.Watching || e.Kind.String() != "watching" {
			t.Fatalf("the first event is %+v", e)
		}
	case err := <-done:
		t.Fatalf("ended before it watched: %v", err)
	}
	return events, done
}

func ended(t *testing.T, done chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("still watching")
		return nil
	}
}

// again opens the group a second time, for a Group is one goroutine's.
func again(t *testing.T, g *cgroupfs.Group) *cgroupfs.Group {
	t.Helper()
	l, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	other, err := cgroupfs.Load(l, g.Saved())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	return other
}

// TestWatchOutOfMemory: a process that dies of the limit is told of, and the end of the last process ends the watch.
func TestWatchOutOfMemory(t *testing.T) {
	g := create(t, "watch")
	apply(t, g, cgroupfs.Resources{Memory: p[int64](32 << 20), MemorySwap: p[int64](32 << 20)})
	stays, hog := start(t, "sleep"), start(t, "hog")
	if err := errors.Join(g.Add(stays.Process.Pid), g.Add(hog.Process.Pid)); err != nil {
		t.Fatal(err)
	}
	events, done := watching(t, context.Background(), again(t, g))
	hog.tell()
	select {
	case e := <-events:
		if e.Kind != cgroupfs.OutOfMemory || e.Kind.String() != "oom" {
			t.Errorf("%+v", e)
		}
	case err := <-done:
		t.Fatalf("ended: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("no event")
	}
	<-hog.out
	// v1 tells as often as the limit was met before something was killed. From here on nobody wants memory, so the group's
	// end alone is left to tell.
	time.Sleep(100 * time.Millisecond)
	told := len(events)
	if err := errors.Join(g.Kill(short(t)), g.Delete(short(t))); err != nil {
		t.Error(err)
	}
	if err := ended(t, done); err != nil {
		t.Errorf("at the end: %v", err)
	}
	if n := len(events); n != told {
		t.Errorf("%d events of the group's end", n-told)
	}
}

// TestWatchPressure: a group that wants more processor time than it gets stalls, and its trigger says so.
func TestWatchPressure(t *testing.T) {
	g := create(t, "pressure")
	if _, ok := g.Dirs()[""]; !ok {
		t.Skip("needs a v2 hierarchy, which has the pressure files")
	}
	apply(t, g, cgroupfs.Resources{CPUQuota: p[int64](10_000), CPUPeriod: p[uint64](100_000)})
	ctx, cancel := context.WithCancelCause(context.Background())
	stopped := errors.New("stopped")
	defer cancel(stopped)
	cmd := exec.Command("/bin/sh", "-c", "while :; do :; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if err := g.Add(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	want := cgroupfs.Trigger{Resource: "cpu", Stall: 100 * time.Millisecond, Window: 2 * time.Second}
	events, done := watching(t, ctx, again(t, g), want)
	select {
	case e := <-events:
		if e.Kind != cgroupfs.PressureHigh || e.Trigger != want {
			t.Errorf("%+v", e)
		}
	case err := <-done:
		t.Fatalf("ended: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("no event")
	}
	cancel(stopped)
	if err := ended(t, done); !errors.Is(err, stopped) {
		t.Errorf("at the end: %v", err)
	}
}

// TestWatchEndsWithTheGroup: the kernel announces the end of the last process late, and not at all if the group is gone
// by then.
func TestWatchEndsWithTheGroup(t *testing.T) {
	for i := range 30 {
		g := create(t, "ends")
		c := start(t, "sleep")
		if err := g.Add(c.Process.Pid); err != nil {
			t.Fatal(err)
		}
		_, done := watching(t, context.Background(), again(t, g))
		time.Sleep(time.Duration(i%10) * time.Millisecond) // some of the ends come soon upon the watch and some not
		if err := errors.Join(g.Kill(short(t)), g.Delete(short(t))); err != nil {
			t.Fatal(err)
		}
		if err := ended(t, done); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWatchRefusesTriggers(t *testing.T) {
	g := create(t, "triggers")
	for _, bad := range []cgroupfs.Trigger{
		{}, {Resource: "cpu"}, {Resource: "../cpu", Stall: 1000, Window: time.Second},
		{Resource: "io", Stall: time.Second, Window: 11 * time.Second},
		{Resource: "io", Stall: 3 * time.Second, Window: 2 * time.Second}, {Resource: "io", Stall: time.Nanosecond,
			Window: 2 * time.Second},
	} {
		if err := g.Watch(context.Background(), []cgroupfs.Trigger{bad}, nil); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestWatchOfAnEmptyGroup is over at once where v2 tells.
func TestWatchOfAnEmptyGroup(t *testing.T) {
	g := create(t, "nobody")
	if _, ok := g.Dirs()[""]; !ok {
		t.Skip("needs a v2 hierarchy, which tells whether a group is populated")
	}
	err := g.Watch(context.Background(), nil, func(e cgroupfs.Event) {
		if e.Kind != cgroupfs.Watching {
			t.Errorf("%+v", e)
		}
	})
	if err != nil {
		t.Error(err)
	}
}
