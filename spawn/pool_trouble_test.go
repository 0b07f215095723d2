package spawn_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// bad is a Handler that does something to the process, once.
type bad struct {
	recorder
	signal unix.Signal
	at     string
}

func (b *bad) Started(ctx context.Context, pid int) error { return b.do("started", pid) }
func (b *bad) Ready(ctx context.Context, pid int) error   { return b.do("ready", pid) }

func (b *bad) do(at string, pid int) error {
	if b.at == at {
		b.at = ""
		_ = unix.Kill(pid, b.signal)
	}
	return b.call(at)
}

// A member that fails before it has begun is replaced by a new child; one that has begun is a failed start.
func TestPoolMemberFails(t *testing.T) {
	testenv.Root(t)
	for _, c := range []struct {
		h    *bad
		want []string
	}{
		{&bad{at: "started", signal: unix.SIGKILL}, []string{"started", "started", "ready"}},
		{&bad{at: "started", signal: unix.SIGSTOP}, []string{"started", "started", "ready"}},
		{&bad{at: "ready", signal: unix.SIGKILL}, []string{"started", "ready"}},
	} {
		template := function("/bin/true")
		p := pool(t, template, 1)
		fill(t, p)
		cfg := template
		cfg.Handler, cfg.Deadlines.Hello = c.h, 2*time.Second
		at := c.h.at
		process, err := p.Start(t.Context(), cfg)
		if !slices.Equal(c.h.calls, c.want) {
			t.Errorf("%v at %q: calls %q, want %q", c.h.signal, at, c.h.calls, c.want)
		}
		s := p.Stats()
		if again := len(c.want) == 3; again && (err != nil || process.Warm() || s.Lost != 1 || s.Cold != 1) ||
			!again && (err == nil || s.Lost+s.Cold+s.Warm != 0) {
			t.Errorf("%v at %q: %v, %+v", c.h.signal, at, err, s)
		}
		if err == nil {
			over(t, process)
		}
		fill(t, p)
	}
}

// A member does not see a mount that is made later where mounts do not propagate. It must not run what is below.
func TestPoolMemberSeesOtherMounts(t *testing.T) {
	testenv.Root(t)
	root, dir := testenv.Busybox(t), testenv.Dir(t)
	mount := func(source string, flags uintptr) {
		t.Helper()
		if err := unix.Mount(source, dir, "", flags, ""); err != nil {
			t.Fatal(err)
		}
		if flags&unix.MS_BIND != 0 {
			t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
		}
	}
	mount(dir, unix.MS_BIND)
	mount("", unix.MS_PRIVATE)
	template := function()
	template.Container.Root.Path = filepath.Join(testenv.Dir(t), "link")
	// It leads to this process's mount of dir, if it is not followed from the member's root.
	if err := os.Symlink(dir, template.Container.Root.Path); err != nil {
		t.Fatal(err)
	}
	p := pool(t, template, 1)
	fill(t, p)
	mount(root, unix.MS_BIND)
	if got, process := ran(t, p, template, "echo $$"); got != "1" || process.Warm() {
		t.Errorf("%q, warm %t", got, process.Warm())
	}
	fill(t, p)
	if got, process := ran(t, p, template, "echo $$"); got != "1" || !process.Warm() {
		t.Errorf("made after the mount: %q, warm %t", got, process.Warm())
	}
	if s := p.Stats(); s.Stale != 1 || s.Cold != 1 || s.Warm != 1 {
		t.Errorf("%+v", s)
	}
}
