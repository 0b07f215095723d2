package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// Root skips the test unless it runs as root, and says why.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("needs root (effective user id %d): run the tests with sudo", os.Geteuid())
	}
}

// Virtual reports whether the tests run in the machine that "make test-vm" emulates. It has no other load and has
// features that a host may lack, and everything takes about ten times as long.
func Virtual() bool { return os.Getenv("HANDFAST_TEST_VM") != "" }

// Tool returns the path of the named program. If it is missing, it fails the test and names its Debian package, because
// a machine that could run the test must not pass by skipping it.
func Tool(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	// Debian's plain users have no sbin directory on their PATH.
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	t.Fatalf("this test needs the program %s: apt-get install %s", name, debianPackage)
	return ""
}

// ids counts the ids that ID has returned in this process.
var ids atomic.Int64

func idPrefix() string { return fmt.Sprintf("t%d-", os.Getpid()) }

// ID returns a container id that no other running test uses, in any process. It is valid for every OCI runtime, and
// short enough for a host name and a cgroup: "t<pid>-<n>-<test>".
func ID(t testing.TB) string {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '-'
	}, t.Name())
	id := fmt.Sprintf("%s%d-%s", idPrefix(), ids.Add(1), name)
	return id[:min(len(id), 60)]
}

// moduleRoot returns the root of the module of the running test: the nearest parent directory with a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == "/" {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
	}
	return "", err
}
