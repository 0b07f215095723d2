package testenv

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/handfast/handfast/internal/testenv/debian"
)

// Debian creates a root filesystem for this test: the smallest Debian tree with the given packages. The tree is built
// once with mmdebstrap (half a minute and a Debian mirror), cached in /var/cache/handfast-test under a name made of the
// suite and the packages, and copied for each test. Nothing is installed or started on the host. It needs root.
func Debian(t testing.TB, packages ...string) string {
	t.Helper()
	Root(t)
	cached, err := debian.Tree(packages...)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(Dir(t), "rootfs")
	// cp keeps owners, modes and links; the tree has about 150 MB, which takes a second.
	if out, err := exec.Command("cp", "-a", cached, dir).CombinedOutput(); err != nil {
		t.Fatalf("copying %s: %v\n%s", cached, err, out)
	}
	return dir
}
