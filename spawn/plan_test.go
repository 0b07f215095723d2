package spawn

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/syncproto/container"
)

func all(kinds ...string) []Namespace {
	var ns []Namespace
	for _, k := range kinds {
		ns = append(ns, Namespace{Kind: k})
	}
	return ns
}

func TestPlanGolden(t *testing.T) {
	golden.Only(t, "testdata/plan/*")
	mapped := []IDMap{{HostID: 100000, Size: 65536}}
	for name, c := range map[string]struct {
		cfg        Config
		privileged bool
	}{
		"nothing": {privileged: true},
		"container": {Config{Namespaces: all(container.NSPid, container.NSNetwork, container.NSMount, container.NSIPC,
			container.NSUTS, container.NSCgroup)}, true},
		"preserve": {Config{PreserveFDs: 2, Namespaces: all(container.NSPid)}, true},
		"user": {Config{Namespaces: all(container.NSUser, container.NSMount), UIDMappings: mapped, GIDMappings: mapped},
			true},
		"rootless": {Config{Namespaces: all(container.NSUser, container.NSMount), UIDMappings: []IDMap{{0, 1000, 1}},
			GIDMappings: []IDMap{{0, 1000, 1}}}, false},
		"joined": {Config{Namespaces: []Namespace{
			{container.NSPid, "/proc/7/ns/pid"}, {container.NSNetwork, "/run/netns/a"}, {container.NSMount, "/proc/7/ns/mnt"},
			{Kind: container.NSUTS},
		}}, true},
		"joined-user": {Config{Namespaces: []Namespace{
			{container.NSUser, "/proc/7/ns/user"}, {container.NSNetwork, "/run/netns/a"}, {container.NSMount, "/proc/7/ns/mnt"},
			{Kind: container.NSPid}, {container.NSTime, "/proc/7/ns/time"},
		}}, true},
		"joined-time": {Config{Namespaces: []Namespace{{container.NSTime, "/proc/7/ns/time"}, {Kind: container.NSUTS}}},
			true},
		"helpers": {Config{Namespaces: all(container.NSUser, container.NSPid), UIDMappings: mapped,
			GIDMappings: []IDMap{{0, 1000, 1}}}, false},
		"target": {Config{Target: &Target{PIDFD: os.Stdin, Kinds: []string{container.NSPid, container.NSMount,
			container.NSCgroup}}}, true},
		"target-user": {Config{Target: &Target{PIDFD: os.Stdin, Kinds: []string{container.NSUser, container.NSPid,
			container.NSMount, container.NSNetwork}}}, false},
		"target-chroot": {Config{PreserveFDs: 1, Target: &Target{PIDFD: os.Stdin, Kinds: []string{container.NSPid},
			Root: os.Stdin}}, true},
		"time-in-user": {Config{Namespaces: all(container.NSUser, container.NSPid, container.NSTime),
			UIDMappings: []IDMap{{0, 1000, 1}}, GIDMappings: []IDMap{{0, 1000, 1}},
			TimeOffsets: map[string]TimeOffset{"boottime": {5, 7}}}, false},
		"user-with-joined-time": {Config{Namespaces: []Namespace{{container.NSTime, "/proc/7/ns/time"},
			{Kind: container.NSUser}, {Kind: container.NSPid}},
			UIDMappings: mapped, GIDMappings: mapped}, true},
		"time": {Config{Namespaces: all(container.NSTime), TimeOffsets: map[string]TimeOffset{"boottime": {5, 7},
			"monotonic": {-3, 0}}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := planOf(&c.cfg, c.privileged)
			if err != nil {
				t.Fatal(err)
			}
			text := p.String()
			if p.needsBareFork() {
				text += "\n" + programText(t, p)
			}
			golden.Compare(t, filepath.Join("testdata", "plan", name+".txt"), text)
		})
	}
}

// programText is what the child of the plan does before it executes.
func programText(t *testing.T, p *plan) string {
	t.Helper()
	s := sources{exe: 100, root: 101}
	for i := range p.SocketFD + 1 {
		s.files = append(s.files, 110+i)
	}
	for i := range p.Joins {
		s.joins = append(s.joins, 150+i)
	}
	prog, err := p.program(s)
	if err != nil {
		t.Fatal(err)
	}
	return prog.String()
}

func TestPlanRefusals(t *testing.T) {
	for want, cfg := range map[string]Config{
		`"pid" occurs twice`:                    {Namespaces: all(container.NSPid, container.NSPid)},
		`"net" is not a kind`:                   {Namespaces: all("net")},
		"number is negative":                    {PreserveFDs: -1},
		"without a new user namespace":          {UIDMappings: []IDMap{{0, 0, 1}}},
		"needs uid and gid mappings":            {Namespaces: all(container.NSUser)},
		"the pidfd is missing":                  {Target: &Target{}},
		"cannot have others":                    {Target: &Target{PIDFD: os.Stdin}, Namespaces: all(container.NSPid)},
		"cannot have a gate":                    {Target: &Target{PIDFD: os.Stdin}, Gate: "/x"},
		`target: namespace "net" is not a kind`: {Target: &Target{PIDFD: os.Stdin, Kinds: []string{"net"}}},
		`target: namespace "pid" occurs twice`:  {Target: &Target{PIDFD: os.Stdin, Kinds: []string{"pid", "pid"}}},
	} {
		if _, err := planOf(&cfg, true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", cfg.Namespaces, err, want)
		}
	}
}

func TestSysProcAttr(t *testing.T) {
	cfg := Config{Namespaces: all(container.NSUser, container.NSPid), UIDMappings: []IDMap{{0, 1000, 1}},
		GIDMappings: []IDMap{{0, 1000, 1}}}
	p, err := planOf(&cfg, false)
	if err != nil {
		t.Fatal(err)
	}
	var pidfd int
	a := p.sysProcAttr(&pidfd, 9)
	if a.PidFD != &pidfd || !a.UseCgroupFD || a.CgroupFD != 9 || a.GidMappingsEnableSetgroups || a.Credential == nil ||
		!a.Credential.NoSetGroups {
		t.Errorf("%+v", a)
	}
	if a.Cloneflags != syscall.CLONE_NEWUSER|syscall.CLONE_NEWPID {
		t.Errorf("clone flags %#x", a.Cloneflags)
	}
	for _, keep := range []bool{false, true} {
		cfg.Container.Process.KeepGroups = keep
		if p, err = planOf(&cfg, true); err != nil || p.sysProcAttr(&pidfd, -1).Credential.NoSetGroups != keep {
			t.Errorf("KeepGroups %t: %v, %+v", keep, err, p)
		}
	}
	if a := (&plan{}).sysProcAttr(&pidfd, -1); a.UseCgroupFD || a.Credential != nil {
		t.Errorf("%+v", a)
	}
}

func TestIdleCountsHooks(t *testing.T) {
	for _, c := range []struct {
		idle  time.Duration
		hooks []container.Hook
		want  time.Duration
	}{
		{0, nil, 30 * time.Second},
		{time.Second, []container.Hook{{Timeout: 2}, {Timeout: 3}}, 6 * time.Second},
		{0, []container.Hook{{Timeout: 2}, {}}, -1},
		{-1, []container.Hook{{Timeout: 2}}, -1},
	} {
		if got := (Deadlines{Idle: c.idle}).withHooks(container.Hooks{CreateContainer: c.hooks}).Idle; got != c.want {
			t.Errorf("idle %v with %v: %v, want %v", c.idle, c.hooks, got, c.want)
		}
	}
}
