package cgroupfs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/testenv"
)

// TestPureV2View runs insideV2 in a mount namespace of its own in which cgroup2 is all there is, as on a host with v2
// alone.
func TestPureV2View(t *testing.T) {
	testenv.Root(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"CGROUPFS_TEST=v2", "PARENT=" + testenv.CgroupParent()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func insideV2() int {
	if err := pureV2(); err != nil {
		fmt.Println(err)
		return 1
	}
	l, err := cgroupfs.Host()
	if err != nil || l.Mode() != cgroupfs.V2 {
		fmt.Println("not v2 alone:", l, err)
		return 1
	}
	g, err := cgroupfs.Create(l, os.Getenv("PARENT")+"/v2")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer g.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := errors.Join(useV2(ctx, g), g.Kill(ctx), g.Delete(ctx)); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func pureV2() error {
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Mount("none", "/sys/fs/cgroup", "tmpfs", 0, ""); err != nil {
		return err
	}
	// What was mounted before is hidden by now; mountinfo still lists it, so it has to go.
	for unix.Unmount("/sys/fs/cgroup", unix.MNT_DETACH) == nil {
	}
	return unix.Mount("none", "/sys/fs/cgroup", "cgroup2", 0, "")
}

func useV2(ctx context.Context, g *cgroupfs.Group) error {
	if err := errors.Join(devicesV2(g), replaceV2(g), updateV2(g)); err != nil {
		return err
	}
	fd := g.FD()
	if fd < 0 {
		return errors.New("no descriptor to clone into")
	}
	cmd := exec.Command("/bin/sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	pids, err := g.Procs()
	if err != nil || len(pids) != 1 || pids[0] != cmd.Process.Pid {
		return fmt.Errorf("processes %v %w, want %d", pids, err, cmd.Process.Pid)
	}
	if err := g.Freeze(ctx); err != nil {
		return err
	}
	if frozen, err := g.Frozen(); err != nil || !frozen {
		return fmt.Errorf("frozen: %t %w", frozen, err)
	}
	if err := g.Kill(ctx); err != nil { // frozen as it is: SIGKILL gets through on v2
		return err
	}
	<-done
	if _, err := g.OOMKilled(); err != nil {
		return err
	}
	memory := int64(1 << 20)
	writes, err := cgroupfs.Plan(pureLayout(), &cgroupfs.Resources{Memory: &memory})
	if err != nil {
		return err
	}
	if err := g.Apply(writes); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("a controller that may not be here: %w", err)
	}
	return g.Thaw(ctx)
}

// devicesV2 proves rules by effect: of two devices one opens, and reading alone is allowed of the third.
func devicesV2(g *cgroupfs.Group) error {
	one, null, zero, full := int64(1), int64(3), int64(5), int64(7)
	err := g.Rule([]cgroupfs.DeviceRule{
		{Type: "a", Access: "rwm"},
		{Allow: true, Type: "c", Major: &one, Minor: &null, Access: "rw"},
		{Allow: true, Type: "c", Major: &one, Minor: &zero, Access: "rwm"},
		{Type: "c", Major: &one, Minor: &zero, Access: "w"},
	})
	if err != nil {
		return err
	}
	for script, want := range map[string]bool{
		": < /dev/null": true, ": > /dev/null": true, ": < /dev/zero": true, ": > /dev/zero": false, ": < /dev/full": false,
		fmt.Sprintf("mknod /tmp/handfast-full-%d c 1 %d", os.Getpid(), full): false,
	} {
		cmd := exec.Command("/bin/sh", "-c", script)
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: g.FD()}
		if out, err := cmd.CombinedOutput(); (err == nil) != want {
			return fmt.Errorf("%s: %w, want success %t: %s", script, err, want, out)
		}
	}
	return nil
}

func pureLayout() *cgroupfs.Layout {
	return &cgroupfs.Layout{Hierarchies: []cgroupfs.Hierarchy{{V2: true}}}
}

func inGroup(g *cgroupfs.Group, script string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: g.FD()}
	return cmd
}

// replaceV2 changes rules while a process of the group goes on opening what neither of them allows: it never can. That
// the second rules allow more than the first shows that these are gone.
func replaceV2(g *cgroupfs.Group) error {
	rule := func(minors ...int64) []cgroupfs.DeviceRule {
		rules := []cgroupfs.DeviceRule{{Type: "a"}}
		for _, n := range append(minors, 3) {
			rules = append(rules, cgroupfs.DeviceRule{Allow: true, Type: "c", Major: p[int64](1), Minor: &n})
		}
		return rules
	}
	opener := inGroup(g, "i=0; while [ $i -lt 100000 ]; do ( : < /dev/full ) 2>/dev/null && exit 9; [ -e "+stopFile()+
		" ] && exit 0; i=$((i+1)); done")
	if err := errors.Join(g.Rule(rule(5)), opener.Start()); err != nil {
		return err
	}
	var failed error
	for i := range 300 {
		if err := g.Rule(rule(int64(5 + i%2*4))); err != nil { // zero, or urandom
			failed = err
			break
		}
	}
	if err := os.WriteFile(stopFile(), nil, 0o600); err != nil {
		return err
	}
	defer os.Remove(stopFile())
	if err := opener.Wait(); err != nil {
		failed = errors.Join(failed, fmt.Errorf("a device was open to the group between two sets of rules: %w", err))
	}
	for script, want := range map[string]bool{": < /dev/urandom": true, ": < /dev/zero": false, ": < /dev/full": false} {
		if out, err := inGroup(g, script).CombinedOutput(); (err == nil) != want {
			failed = errors.Join(failed, fmt.Errorf("after the last rules: %s: %w, want success %t: %s", script, err, want, out))
		}
	}
	return failed
}

func stopFile() string { return fmt.Sprintf("/tmp/handfast-cgroupfs-stop-%d", os.Getpid()) }

// updateV2 changes files of a v2 group, and undoes what was written before the kernel refused.
func updateV2(g *cgroupfs.Group) error {
	file := g.Dirs()[""] + "/cgroup.max.depth"
	now, err := g.Update(&cgroupfs.Resources{},
		&cgroupfs.Resources{Unified: []cgroupfs.Unified{{File: "cgroup.max.depth", Value: "7"}}})
	if err != nil {
		return err
	}
	_, err = g.Update(now, &cgroupfs.Resources{
		Unified: []cgroupfs.Unified{{File: "cgroup.max.depth", Value: "9"}, {File: "cgroup.max.descendants",
			Value: "nonsense"}},
	})
	if !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("an update to nonsense: %w", err)
	}
	if data, err := os.ReadFile(file); string(data) != "7\n" {
		return fmt.Errorf("%s is %q after an update that failed, %w", file, data, err)
	}
	_, err = g.Update(now, &cgroupfs.Resources{Unified: []cgroupfs.Unified{{File: "cgroup.max.depth", Value: "max"}}})
	return err
}
