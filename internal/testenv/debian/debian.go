// Package debian builds small Debian trees once and keeps them, for tests and for the tools that make images of them.
package debian

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Cache keeps what was built between runs. It is root's own, unlike anything below /tmp: what is in it is executed as
// root.
const Cache = "/var/cache/handfast-test"

// Path is where the tree with these packages is, or will be: the order of the packages makes no difference.
func Path(packages ...string) string {
	packages = slices.Compact(slices.Sorted(slices.Values(packages)))
	suite := Suite()
	key := sha256.Sum256([]byte(suite + " " + strings.Join(packages, " ")))
	return filepath.Join(Cache, fmt.Sprintf("%s-%x", suite, key[:6]))
}

// Tree returns the path of the smallest Debian tree with the given packages, which it builds with mmdebstrap (half a
// minute and a Debian mirror) if it is not there. Nobody may write to it; it stays. Needs root.
func Tree(packages ...string) (string, error) {
	tree := Path(packages...)
	return tree, Once(tree, func(partial string) error { return build(partial, packages) })
}

// Once makes the file or directory at path, which is below Cache, unless it is there. build makes it beside the final
// name, so that an interrupted build is never taken for the thing itself. Processes that want the same path at once
// wait for each other.
func Once(path string, build func(partial string) error) error {
	if err := os.MkdirAll(Cache, 0o700); err != nil {
		return err
	}
	// The lock goes with the descriptor.
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	partial := path + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	if err := build(partial); err != nil {
		os.RemoveAll(partial)
		return err
	}
	return os.Rename(partial, path)
}

// without are the options of dpkg that leave out what no test reads.
var without = []string{
	"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
	"--dpkgopt=path-exclude=/usr/share/doc/*",
}

func build(dir string, packages []string) error {
	return bootstrap(dir, packages, "--variant=minbase",
		// A package's service must not start in the half-built tree, nor through it on the host.
		`--essential-hook=printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"`)
}

// Unpack makes the directory dir and unpacks the given packages into it, with what they depend on, for an architecture
// by Debian's name. None of their programs and scripts is executed, so it may be another architecture than the host's,
// and nothing is configured. Needs root and a Debian mirror; the host's own packages stay as they are.
func Unpack(arch, dir string, packages ...string) error {
	return bootstrap(dir, packages, "--variant=extract", "--architectures="+arch,
		"--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr")
}

func bootstrap(dir string, packages []string, args ...string) error {
	args = slices.Concat(args, without, []string{"--mode=root"})
	if len(packages) > 0 {
		args = append(args, "--include="+strings.Join(packages, ","))
	}
	out, err := exec.Command("mmdebstrap", append(args, Suite(), dir)...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("a Debian tree needs the program mmdebstrap: apt-get install mmdebstrap")
	}
	if err != nil {
		return fmt.Errorf("building a Debian %s tree with %v: %w (is a Debian mirror reachable?)\n%s", Suite(), packages, err,
			out)
	}
	return nil
}

// Suite is the host's own suite when it is a Debian, because its keyring and mirror then fit.
func Suite() string {
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
