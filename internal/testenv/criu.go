package testenv

import (
	"os/exec"
	"strings"
	"testing"
)

// CRIU skips the test unless CRIU can save and restore processes on this kernel, and says what CRIU says: a version of
// CRIU knows kernels up to its own time.
func CRIU(t testing.TB) {
	t.Helper()
	Root(t)
	out, err := exec.Command(Tool(t, "criu", "criu"), "check").CombinedOutput()
	if err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		t.Skipf("CRIU does not work on this kernel: criu check: %v: %s", err, first)
	}
}
