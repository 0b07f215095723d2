package spawn_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// real is a container whose child is nsinit's, in namespaces of its own on the host's root file system.
func real(script string) spawn.Config {
	return spawn.Config{
		Namespaces: []spawn.Namespace{{Kind: container.NSMount}, {Kind: container.NSPid}, {Kind: container.NSUTS}},
		Container: spawn.Container{
			ID: "real", Root: container.Root{Path: "/"},
			Process: container.Process{Args: []string{"/bin/sh", "-c", script}, Cwd: "/", Env: []string{"PATH=/usr/bin:/bin"}},
		},
	}
}

// said runs the container to its end and returns what it wrote.
func said(t *testing.T, cfg spawn.Config) string {
	t.Helper()
	read := output(t, &cfg)
	cfg.Files[2] = os.Stderr
	if status := wait(t, start(t, cfg)); status.ExitStatus() != 0 {
		t.Errorf("exit status %v", status)
	}
	return strings.TrimSpace(read())
}

// The zero value of a Process is the safe one: nothing of the caller's groups, umask or capabilities reaches it.
func TestZeroProcessInheritsNothing(t *testing.T) {
	testenv.Root(t)
	old, err := unix.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setgroups([]int{7, 8}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Setgroups(old) }()
	defer unix.Umask(unix.Umask(0o077))
	const facts = `id -G; umask; grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | cut -f2 | sort -u`
	cfg := real(facts)
	if got, want := said(t, cfg), "0\n0022\n0000000000000000"; got != want {
		t.Errorf("a zero process has %q, want %q", got, want)
	}
	cfg.Container.Process.AdditionalGIDs, cfg.Container.Process.Umask = []uint32{5}, new(uint32(0))
	if got, want := said(t, cfg), "0 5\n0000\n0000000000000000"; got != want {
		t.Errorf("group 5 and umask 0: %q, want %q", got, want)
	}
	cfg.Container.Process.AdditionalGIDs, cfg.Container.Process.KeepGroups = nil, true
	if got, want := said(t, cfg), "0 7 8\n0000\n0000000000000000"; got != want {
		t.Errorf("kept groups: %q, want %q", got, want)
	}
}

// A host name without a UTS namespace would be the host's own.
func TestHostnameIsNeverTheHosts(t *testing.T) {
	testenv.Root(t)
	before, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	cfg := real("true")
	cfg.Namespaces, cfg.Container.Hostname = cfg.Namespaces[:2], "other"
	_, err = spawn.Start(context.Background(), cfg)
	if err == nil || !strings.Contains(err.Error(), "hostname: needs a uts namespace") {
		t.Errorf("%v", err)
	}
	if after, _ := os.Hostname(); after != before {
		t.Errorf("the host is called %q now", after)
	}
}

// The child begins on the processors that its maker is bound to, and runs on its own once it has learned of them.
func TestAffinity(t *testing.T) {
	testenv.Root(t)
	cfg := real(`grep -E '^Cpus_allowed_list' /proc/self/status | cut -f2`)
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	first, last := -1, 0
	for n := range 1024 {
		if set.IsSet(n) {
			if last = n; first < 0 {
				first = n
			}
		}
	}
	h := &beginning{}
	cfg.Handler = h
	cfg.Affinity, cfg.Container.Process.Processors = []uint32{uint32(first)}, []uint32{uint32(last)}
	if got := said(t, cfg); got != strconv.Itoa(last) || h.processors != strconv.Itoa(first) {
		t.Errorf("it began on %s and ran on %s, want %d and %d", h.processors, got, first, last)
	}
	cfg.Affinity = []uint32{8000}
	_, err := spawn.Start(t.Context(), cfg)
	if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "processors [8000]") {
		t.Errorf("%v", err)
	}
	cfg.Affinity = []uint32{8192}
	if _, err := spawn.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "8192 is more than 8191") {
		t.Errorf("%v", err)
	}
}

// beginning notes the processors of a child that has been told nothing.
type beginning struct{ processors string }

func (b *beginning) Started(_ context.Context, pid int) error {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	_, rest, _ := strings.Cut(string(data), "Cpus_allowed_list:\t")
	b.processors, _, _ = strings.Cut(rest, "\n")
	return err
}
func (b *beginning) Hooks(context.Context, int) error                { return nil }
func (b *beginning) Console(context.Context, *os.File, string) error { return nil }
func (b *beginning) Ready(context.Context, int) error                { return nil }
