package seccomp

import (
	"strings"
	"testing"
)

// knownDifferences are the calls on which the kernel's headers and libseccomp 2.5 differ: parisc64 has none, and x32
// has the number since Linux 6.6.
var knownDifferences = map[string]bool{"SCMP_ARCH_PARISC64 _llseek": true, "SCMP_ARCH_X32 map_shadow_stack": true}

// TestNamesOracle compares the tables with libseccomp's: each name that both know has the same number.
func TestNamesOracle(t *testing.T) {
	o := startOracle(t)
	t.Logf("libseccomp %s, tables of Linux %s", o.request("version"), TablesVersion)
	unknown := 0
	for i := range nameCount {
		name := nameAt(i)
		for a := X86; a < archEnd; a++ {
			want, ok := o.resolve(a, name)
			if !ok {
				unknown++
				continue
			}
			got, exists := a.Number(name)
			if knownDifferences[a.String()+" "+name] {
				continue
			}
			if exists != (want >= 0) && multiplexCalls[i] == 0 || exists && want >= 0 && got != uint32(want) {
				t.Errorf("%s %s: got %d %v, libseccomp has %d", a, name, got, exists, want)
			}
		}
	}
	t.Logf("%d of %d not known to libseccomp", unknown, nameCount*int(archEnd-1))
	for a := X86; a < archEnd; a++ {
		for table := range int16(1100) {
			number := a.callNumber(table)
			name, ok := strings.CutPrefix(o.request("name %#x %d", scmpArch(a), number), "name ")
			if got, exists := a.Number(name); ok && !knownDifferences[a.String()+" "+name] && (!exists || got != number) {
				t.Errorf("%s: libseccomp calls %d %s; got %d %v", a, number, name, got, exists)
			}
		}
	}
}
