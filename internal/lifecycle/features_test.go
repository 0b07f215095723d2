package lifecycle

import (
	"fmt"
	"slices"
	"testing"

	"github.com/handfast/handfast/internal/seccomp"
)

// TestFeaturesOfSeccomp checks that every listed word compiles, and that every word of the specification is listed.
func TestFeaturesOfSeccomp(t *testing.T) {
	f := Features("1", "c").Linux.Seccomp
	for what, c := range map[string]struct {
		told    []string
		spec    []string // runtime-spec config-linux.md, "Seccomp"
		profile string
	}{
		"actions": {f.Actions, []string{
			"SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO",
			"SCMP_ACT_TRACE", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY",
		}, `{"defaultAction": "SCMP_ACT_LOG", "listenerPath": "/a",
			"syscalls": [{"names": ["chmod"], "action": "SCMP_ACT_NOTIFY"}, {"names": ["getcwd"], "action": %q}]}`},
		"operators": {f.Operators, []string{
			"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ",
		}, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getcwd"], "action": "SCMP_ACT_ERRNO",
			"args": [{"index": 0, "value": 1, "op": %q}]}]}`},
		"archs": {f.Archs, []string{
			"SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS",
			"SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32",
			"SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_PARISC",
			"SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K",
			"SCMP_ARCH_SH", "SCMP_ARCH_SHEB",
		}, `{"defaultAction": "SCMP_ACT_ALLOW", "architectures": [%q],
			"syscalls": [{"names": ["getcwd"], "action": "SCMP_ACT_ERRNO"}]}`},
		"flags": {f.KnownFlags, []string{
			"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
			"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
		}, `{"defaultAction": "SCMP_ACT_ALLOW", "flags": [%q], "listenerPath": "/a",
			"syscalls": [{"names": ["chmod"], "action": "SCMP_ACT_NOTIFY"}]}`},
	} {
		for _, word := range c.told {
			if _, err := seccomp.Parse(fmt.Appendf(nil, c.profile, word)); err != nil {
				t.Errorf("%s: %s is told, and a profile with it is refused: %v", what, word, err)
			}
		}
		if !slices.Equal(slices.Sorted(slices.Values(c.told)), slices.Sorted(slices.Values(c.spec))) {
			t.Errorf("%s: told %q, the specification has %q", what, c.told, c.spec)
		}
	}
	for _, flag := range f.SupportedFlags {
		if !slices.Contains(f.KnownFlags, flag) {
			t.Errorf("%s is supported and not known", flag)
		}
	}
	if !slices.Contains(f.SupportedFlags, "SECCOMP_FILTER_FLAG_TSYNC") {
		t.Errorf("every kernel since 3.17 has TSYNC: %q", f.SupportedFlags)
	}
}
