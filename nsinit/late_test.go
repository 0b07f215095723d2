package nsinit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// TestReadOnlyComesLast checks that a tmpfs, and everything that is remounted read-only, becomes read-only after
// everything is made, unless a later remount changes that.
func TestReadOnlyComesLast(t *testing.T) {
	const ro = unix.MOUNT_ATTR_RDONLY
	tmpfs := func(at string) container.Mount { return container.Mount{Destination: at, Type: "tmpfs", Set: ro} }
	remount := func(at string, set, clear uint64) container.Mount {
		return container.Mount{Destination: at, Remount: true, Set: set, Clear: clear}
	}
	cfg := minimal()
	cfg.Mounts = []container.Mount{
		tmpfs("/a"), tmpfs("/b"), tmpfs("/c"), tmpfs("/d"),
		remount("/b/", 0, ro), remount("/c", 0, unix.MOUNT_ATTR_NOEXEC), remount("/d", unix.MOUNT_ATTR_NOSUID, 0),
		remount("/e", ro, 0), remount("/f", ro, 0), remount("/f", 0, ro), remount("/", ro, 0),
	}
	steps, err := plan(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range steps {
		of := s.stage() == stageMount || s.stage() == stageLate || s.stage() == stageCwd
		if of && !strings.HasPrefix(describe(s), "mount tmpfs") {
			got = append(got, describe(s))
		}
	}
	want := []string{
		"mount remount /b/ clear=0x1", "mount remount /c clear=0x8", "mount remount /d set=0x2",
		"mount remount /f set=0x1", "mount remount /f clear=0x1", "cwd /",
		"latemode /a", "latemode /c", "mount remount /e set=0x1", "mount remount / set=0x1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	cfg.Mounts[len(cfg.Mounts)-1].CopyUp = true
	if _, err := plan(&cfg); err == nil || !strings.Contains(err.Error(), "mounts[10]") {
		t.Errorf("%v", err)
	}
}

// TestLabelOfMounts checks that every new file system gets the label, except those that SELinux labels by its own
// rules.
func TestLabelOfMounts(t *testing.T) {
	c := &child{}
	if got := c.labelled("tmpfs", []string{"a"}); len(got) != 1 || len(c.quoted(got)) != 1 {
		t.Errorf("without a label: %q", got)
	}
	c.cfg.MountLabel = "u:r:t:s0:c1,c2"
	for kind, want := range map[string][]string{
		"tmpfs": {"a", "context=u:r:t:s0:c1,c2"}, "overlay": {"a", "context=u:r:t:s0:c1,c2"}, "proc": {"a"}, "mqueue": {"a"},
	} {
		if diff := cmp.Diff(want, c.labelled(kind, []string{"a"})); diff != "" {
			t.Error(kind, diff)
		}
	}
	text := c.quoted(c.labelled("tmpfs", []string{"a"}))
	if diff := cmp.Diff([]string{"a", `context="u:r:t:s0:c1,c2"`}, text); diff != "" {
		t.Error(diff)
	}
	if !c.relabels(&container.Mount{Type: "mqueue"}) || c.relabels(&container.Mount{Type: "tmpfs"}) {
		t.Error("mqueue alone is labelled by its files")
	}
}

// TestTuningThatCannotBe checks that numbers that no kernel has, and rules for accesses that are not forbidden, are
// errors of the configuration.
func TestTuningThatCannotBe(t *testing.T) {
	for want, p := range map[string]container.Process{
		"process.processors: 8192 is more than 8191": {Processors: []uint32{8192}},
		"process.memoryPolicy.nodes: 1024 is more than": {
			MemoryPolicy: &container.MemoryPolicy{Nodes: []uint32{1024}}},
		"process.parentDeathSignal: 65; want 1 to 64":       {ParentDeathSignal: 65},
		"process.landlock: it forbids nothing":              {Landlock: &container.Landlock{}},
		`process.landlock.paths[0]: path "x", access 0x1; `: {Landlock: landlockOf("x", 1)},
		`process.landlock.paths[0]: path "/x", access 0x2`:  {Landlock: landlockOf("/x", 2)},
		"process.landlock.ports[0]: port 7, access 0x0": {
			Landlock: &container.Landlock{Net: 1, Ports: []container.LandlockPort{{Port: 7}}}},
	} {
		cfg := minimal()
		p.Args, p.Cwd = cfg.Process.Args, cfg.Process.Cwd
		cfg.Process = p
		for _, plan := range []func(*container.Config) ([]step, error){plan, planJoin} {
			if _, err := plan(&cfg); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		}
	}
}

func landlockOf(path string, access uint64) *container.Landlock {
	return &container.Landlock{FS: 1, Paths: []container.LandlockPath{{Path: path, Access: access}}}
}
