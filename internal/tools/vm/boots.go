package main

import (
	"fmt"
	"path"
	"time"

	"github.com/handfast/handfast/internal/testenv/module"
	"github.com/handfast/handfast/internal/tools/vm/job"
)

// A boot is one start of the machine and what it runs.
type boot struct {
	name    string
	about   string
	arch    *arch  // of the guest
	init    string // process 1
	cgroups string // what process 1 mounts: "v1", "v2", or nothing because it is systemd
	suites  []suite
	tools   []module.Program
	limit   time.Duration // after which the boot is considered to hang
	byName  bool          // it runs only if it is requested by name
}

// A suite is the tests of one package, or some of them.
type suite struct {
	pkg  string // relative to the module's root
	run  string // -test.run, or empty for all
	skip string // -test.skip, or empty
	arch string // GOARCH, or empty for that of the guest
}

// name returns the suite's name in the guest's list of jobs.
func (s *suite) name() string {
	if s.arch != "" {
		return s.pkg + " for " + s.arch
	}
	return s.pkg
}

// boots returns the boots of the machine, in their order.
func boots() []boot {
	return []boot{
		{
			name: "v2", about: "cgroup v2 alone, every controller", arch: amd64, init: job.Guest, cgroups: "v2",
			limit: 35 * time.Minute,
			suites: []suite{{pkg: "cgroupfs", skip: "^TestDeviceRulesV1$"}, {pkg: "spawn", skip: "^TestAsPlainUser$"},
				{pkg: "nsinit"}, {pkg: "internal/sys"}, {pkg: "internal/lifecycle"}, {pkg: "test/security"}, {pkg: "test"}},
		},
		{
			name: "v1", about: "cgroup v1 alone, every controller", arch: amd64, init: job.Guest, cgroups: "v1",
			limit:  35 * time.Minute,
			suites: []suite{{pkg: "cgroupfs"}, {pkg: "test", skip: notAboutGroups}},
		},
		{
			name: "systemd", about: "systemd as process 1", arch: amd64, init: "/lib/systemd/systemd",
			limit:  20 * time.Minute,
			suites: []suite{{pkg: "cgroupfs/systemd"}, {pkg: "test", run: "Cgroup|Systemd"}},
		},
		{
			name: "managers", about: "container managers with systemd and cgroup v2", arch: amd64Managers,
			init: "/lib/systemd/systemd", limit: 45 * time.Minute,
			byName: true,
			suites: []suite{{pkg: "test/managers", run: "OnSystemd"}},
			tools: []module.Program{
				{Module: "sigs.k8s.io/cri-tools", Version: "v1.34.0", Package: "cmd/crictl"},
				{Module: "github.com/containerd/containerd/v2", Version: "v2.4.2", Package: "cmd/containerd"},
				{Module: "github.com/containerd/containerd/v2", Version: "v2.4.2", Package: "cmd/containerd-shim-runc-v2"},
				{Module: "github.com/containerd/containerd/v2", Version: "v2.4.2", Package: "cmd/ctr"},
				{Module: "k8s.io/kubernetes", Version: "v1.34.4", Package: "cmd/kubelet", Parts: "v0.34.4"},
			},
		},
		{
			name: "386", about: "32-bit programs, for hosts that run none", arch: amd64, init: job.Guest,
			cgroups: "v2", limit: 15 * time.Minute,
			byName: true,
			suites: []suite{
				{pkg: "syncproto", arch: "386"}, {pkg: "syncproto/codec", arch: "386"},
				{pkg: "syncproto/container", arch: "386"}, {pkg: "syncproto/remote", arch: "386"},
				{pkg: "syncproto/session", arch: "386"}, {pkg: "syncproto/transcript", arch: "386"},
				{pkg: "syncproto/vectors", arch: "386"}, {pkg: "syncproto/example/hello", arch: "386"},
				// The guest has neither go nor strace.
				{pkg: "syncproto/transport", arch: "386", skip: "^(TestALinkOfAnotherModule|TestAConversationWakesNoThread)$"},
			},
		},
		{
			name: "arm64", about: "another architecture that has a small child", arch: arm64, init: job.Guest,
			cgroups: "v2", limit: 35 * time.Minute,
			byName: true,
			suites: []suite{{pkg: "internal/smallchild"}, {pkg: "nsinit"}, {pkg: "spawn", skip: "^TestAsPlainUser$"},
				{pkg: "internal/rawfork", skip: "^TestTenThousand$"}, {pkg: "internal/sysmon"}, {pkg: "internal/signals"},
				{pkg: "test", run: "SmallChild|Lifecycle"}},
		},
	}
}

// notAboutGroups are the longest tests that have nothing to do with control groups. The kernel is the same in every
// boot, so one boot is enough.
const notAboutGroups = "^(TestPropagation|TestInvalidValues|TestBindAttributes|TestRedis|TestDamagedState|" +
	"TestSeccomp(Everywhere|Actions|Architectures|Docker|AgentMissing|Refused)|TestFewDescriptors|TestWordsOfAStart|" +
	"TestNetDevices.*|TestSmallChildFailsLikeAWhole|TestCheckpoint(Pipes|Connection|Terminal|UserNamespace|LazyPages)|" +
	"TestMounts(Add.*|WithMappings)|TestTerminalIsGivenBack)$"

// packageRest is how much earlier the tests of one package time out than their boot, so that Go reports where they
// hang.
const packageRest = 5 * time.Minute

// jobs returns what the guest runs for a boot. only, if not empty, replaces every suite's own choice of tests.
func (b *boot) jobs(only string) []job.Job {
	var all []job.Job
	for _, s := range b.suites {
		args := []string{path.Join(job.Tests, testName(&s)), "-test.v", "-test.count=1",
			fmt.Sprintf("-test.timeout=%s", b.limit-packageRest)}
		if run := s.run; run != "" || only != "" {
			if only != "" {
				run = only
			}
			args = append(args, "-test.run="+run)
		}
		if s.skip != "" {
			args = append(args, "-test.skip="+s.skip)
		}
		all = append(all, job.Job{Name: s.name(), Dir: path.Join(job.Source, s.pkg), Args: args})
	}
	return all
}
