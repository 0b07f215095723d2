package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// prebuiltEnv is the environment variable with a directory of prebuilt programs, each at the path of its package, for a
// machine without Go.
const prebuiltEnv = "HANDFAST_TEST_BIN"

// buildDir is the directory of built programs in the process's temporary directory. It exists until all tests have
// ended.
const buildDir = "built"

// built is a program that is compiled at most once in a test process.
type built struct {
	once sync.Once
	path string
	err  error
}

var (
	buildsMu sync.Mutex
	builds   map[string]*built // by package
)

// Binary builds cmd/handfast like the Makefile (static, stripped), once in a test process, and returns its absolute
// path. The file is removed when the process's tests end. If the environment variable HANDFAST_TEST_BIN is set to a
// directory, its cmd/handfast is used instead.
func Binary(t testing.TB) string {
	t.Helper()
	return goBuild(t, "./cmd/handfast")
}

// GoPayload builds the Go program in dir (relative to the module's root, such as "internal/demo/payload") as a static
// binary that runs in an empty root filesystem, once in a test process, and returns its absolute path.
// HANDFAST_TEST_BIN applies to it too.
func GoPayload(t testing.TB, dir string) string {
	t.Helper()
	return goBuild(t, "./"+strings.TrimPrefix(dir, "./"))
}

func goBuild(t testing.TB, pkg string) string {
	t.Helper()
	if dir := os.Getenv(prebuiltEnv); dir != "" {
		path := filepath.Join(dir, pkg)
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%s names a directory without the program of %s: %v", prebuiltEnv, pkg, err)
		}
		return path
	}
	if workDir == "" {
		path, err := compile(pkg, t.TempDir()) // Without Main nothing would remove it later.
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	buildsMu.Lock()
	if builds == nil {
		builds = map[string]*built{}
	}
	b := builds[pkg]
	if b == nil {
		b = &built{}
		builds[pkg] = b
	}
	buildsMu.Unlock()
	b.once.Do(func() { b.path, b.err = compile(pkg, filepath.Join(workDir, buildDir)) })
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

// compile builds the package into dir and returns the program's path.
func compile(pkg, dir string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", path, pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s in %s: %w\n%s", pkg, root, err, out)
	}
	return path, nil
}
