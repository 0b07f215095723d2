package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/handfast/handfast/internal/testenv/module"
)

const runcModule = "github.com/opencontainers/runc"

// A suite is a copy of runc's source with everything that its tests need.
type suite struct {
	dir   string   // the copy
	runc  string   // the control
	files []string // names of the files in tests/integration, without .bats
}

// helpers are the programs that the tests call, packages below tests/cmd.
var helpers = []string{"recvtty", "sd-helper", "seccompagent", "fs-idmap", "pidfd-kill", "remap-rootfs", "key_label"}

// build copies the module into dir, and compiles runc, the helpers and the images there.
func build(ctx context.Context, dir string, o options) (*suite, error) {
	s := &suite{dir: filepath.Join(dir, "runc")}
	source, err := module.Download(ctx, runcModule, o.version)
	if err != nil {
		return nil, err
	}
	if err := copyModule(s.dir, source.Dir); err != nil {
		return nil, err
	}
	if s.files, err = testFiles(s.dir, o.run); err != nil {
		return nil, err
	}
	s.runc = filepath.Join(dir, "bin", "runc") // alone there: runc makes an overlay of the directory
	stamp := "-X main.gitCommit=" + o.version + " -X main.version=" + strings.TrimPrefix(o.version, "v")
	if err := compile(ctx, s.dir, s.runc, ".", "-ldflags", stamp); err != nil {
		return nil, err
	}
	for _, h := range helpers {
		if err := compile(ctx, s.dir, filepath.Join(s.dir, "tests/cmd/_bin", h), "./tests/cmd/"+h); err != nil {
			return nil, err
		}
	}
	return s, writeImages(ctx, filepath.Join(s.dir, "tests/integration/testdata"))
}

// copyModule copies the module, because the cache is read-only. A module has no executable files, but the tests'
// scripts must be.
func copyModule(to, source string) error {
	if err := os.CopyFS(to, os.DirFS(source)); err != nil {
		return err
	}
	return filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, 0o755)
	})
}

// testFiles returns the names of the files of tests that contain a word.
func testFiles(dir, word string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "tests/integration/*.bats"))
	if err != nil {
		return nil, err
	}
	var files []string
	for _, p := range paths {
		if name := strings.TrimSuffix(filepath.Base(p), ".bats"); strings.Contains(name, word) {
			files = append(files, name)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no file of the tests is called %q", word)
	}
	return files, nil
}

// compile builds one package of runc's module, with cgo and libseccomp as runc is meant to be built.
func compile(ctx context.Context, dir, output, pkg string, args ...string) error {
	args = append([]string{"build", "-buildvcs=false", "-trimpath", "-tags", "seccomp", "-o", output}, args...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=-mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s of runc: %w\n%s", pkg, err, out)
	}
	return nil
}

// imagePath returns the path where the tests look for an image before they would download it. The name is that of the
// format of the original; tar reads any.
func imagePath(dir, name string) string { return filepath.Join(dir, name+"-"+runtime.GOARCH+".tar.xz") }
