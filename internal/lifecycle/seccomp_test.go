package lifecycle

import (
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/seccomp"
)

func compiledFrom(t *testing.T, profile string) *seccomp.Program {
	t.Helper()
	p, err := seccomp.Parse([]byte(profile))
	if err != nil {
		t.Fatal(err)
	}
	program, err := seccomp.Compile(p, seccomp.HostArch())
	if err != nil {
		t.Fatal(err)
	}
	return decodeFilter(program.Bytes())
}

// The system calls that the child needs must be allowed, and those that it makes before the agent can have its
// listener must be decided by the kernel alone.
func TestAllows(t *testing.T) {
	for _, c := range []struct {
		profile string
		needs   []string
		want    string // empty: allowed
	}{
		{`{"defaultAction":"SCMP_ACT_ALLOW"}`, neededByRuntime, ""},
		{`{"defaultAction":"SCMP_ACT_LOG"}`, neededByRuntime, ""},
		{`{"defaultAction":"SCMP_ACT_KILL","syscalls":[{"names":["execve","write"],"action":"SCMP_ACT_ALLOW"}]}`,
			neededAtOnce, ""},
		{`{"defaultAction":"SCMP_ACT_KILL","syscalls":[{"names":["execve","write"],"action":"SCMP_ACT_ALLOW"}]}`,
			neededByRuntime, "does not allow read"},
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["execve"],"action":"SCMP_ACT_KILL_PROCESS"}]}`,
			neededAtOnce, "does not allow execve"},
		{`{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/a",` +
			`"syscalls":[{"names":["execve"],"action":"SCMP_ACT_NOTIFY"}]}`, neededByRuntime, ""},
		{`{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/a",` +
			`"syscalls":[{"names":["execve","read","close"],"action":"SCMP_ACT_NOTIFY"}]}`, neededByRuntime, ""},
		{`{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/a",` +
			`"syscalls":[{"names":["futex"],"action":"SCMP_ACT_NOTIFY"}]}`, neededByRuntime,
			"SCMP_ACT_NOTIFY cannot be used for the futex syscall"},
		{`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["execve"],"action":"SCMP_ACT_TRAP"},` +
			`{"names":["write"],"action":"SCMP_ACT_ALLOW"}]}`, neededAtOnce, "does not allow execve"},
	} {
		err := allows(compiledFrom(t, c.profile), c.needs)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.profile, err, c.want)
		}
	}
}

// No kernel knows the flag 1<<20, and SPEC_ALLOW is never a reason to fail.
func TestKnownFlags(t *testing.T) {
	if hasFlag(1 << 20) {
		t.Error("the kernel knows a flag that does not exist")
	}
	for _, flags := range []uint32{0, seccomp.FlagLog, seccomp.FlagSpecAllow} {
		got, err := knownFlags(flags)
		if err != nil || got&^flags != 0 {
			t.Errorf("%#x: %#x %v", flags, got, err)
		}
	}
}
