package testenv

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// debianCache keeps the built trees between runs. It is root's own, unlike anything below /tmp: a tree from it is
// executed as root.
const debianCache = "/var/cache/handfast-test"

// Debian makes a root filesystem for this test alone: the smallest Debian tree with the given packages. The tree is
// built once with mmdebstrap (half a minute and a Debian mirror), kept in /var/cache/handfast-test under a name made
// of the suite and the packages, and copied for each test. Nothing is installed or started on the host. Needs root.
func Debian(t testing.TB, packages ...string) string {
	t.Helper()
	Root(t)
	cached, err := debianTree(Tool(t, "mmdebstrap", "mmdebstrap"), packages)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(Dir(t), "rootfs")
	// cp keeps owners, modes and links; the tree is about 150 MB, a second's work.
	if out, err := exec.Command("cp", "-a", cached, dir).CombinedOutput(); err != nil {
		t.Fatalf("copying %s: %v\n%s", cached, err, out)
	}
	return dir
}

// debianTree returns the path of the cached tree, building it first if it is not there.
func debianTree(mmdebstrap string, packages []string) (string, error) {
	packages = slices.Compact(slices.Sorted(slices.Values(packages)))
	suite := hostSuite()
	key := sha256.Sum256([]byte(suite + " " + strings.Join(packages, " ")))
	tree := filepath.Join(debianCache, fmt.Sprintf("%s-%x", suite, key[:6]))

	if err := os.MkdirAll(debianCache, 0o700); err != nil {
		return "", err
	}
	// Two packages' tests may want the same tree at once; the lock goes with the descriptor.
	lock, err := os.OpenFile(tree+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	if _, err := os.Stat(tree); err == nil {
		return tree, nil
	}
	return tree, buildDebian(mmdebstrap, suite, tree, packages)
}

// buildDebian builds beside the final name and renames, so that an interrupted build is never taken for a tree.
func buildDebian(mmdebstrap, suite, tree string, packages []string) error {
	partial := tree + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	args := []string{
		"--variant=minbase", "--mode=root",
		"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		// A package's service must not start in the half-built tree, nor through it on the host.
		`--essential-hook=printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"`,
	}
	if len(packages) > 0 {
		args = append(args, "--include="+strings.Join(packages, ","))
	}
	out, err := exec.Command(mmdebstrap, append(args, suite, partial)...).CombinedOutput()
	if err != nil {
		os.RemoveAll(partial)
		return fmt.Errorf("building a Debian %s tree with %v: %w (is a Debian mirror reachable?)\n%s", suite, packages, err, out)
	}
	return os.Rename(partial, tree)
}

// hostSuite is the host's own suite when it is a Debian, because its keyring and mirror then fit.
func hostSuite() string {
	data, _ := os.ReadFile("/etc/os-release")
	text := string(data)
	if strings.Contains(text, "\nID=debian\n") {
		if _, rest, found := strings.Cut(text, "\nVERSION_CODENAME="); found {
			name, _, _ := strings.Cut(rest, "\n")
			return strings.Trim(name, `"`)
		}
	}
	return "bookworm"
}
