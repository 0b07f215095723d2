package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

const module = "github.com/opencontainers/runtime-tools"

// A suite is a directory with everything that the programs need.
type suite struct {
	dir      string   // working directory of the programs: they read runtimetest and the root file system from it
	runtime  string   // absolute path
	programs []string // names, in dir
}

// build compiles the programs, which go.mod lists as tools, and handfast, into dir.
func build(ctx context.Context, dir string, o options) (*suite, error) {
	s := &suite{dir: dir, runtime: o.runtime}
	packages, err := goCommand(ctx, ".", "list", "tool")
	if err != nil {
		return nil, err
	}
	args := []string{"build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", dir + "/"}
	for _, p := range strings.Fields(packages) {
		if strings.HasPrefix(p, module+"/validation/") {
			if !strings.Contains(path.Base(p), o.run) {
				continue
			}
			s.programs = append(s.programs, path.Base(p))
		}
		args = append(args, p)
	}
	slices.Sort(s.programs)
	if len(s.programs) == 0 {
		return nil, fmt.Errorf("no program of the suite is called %q", o.run)
	}
	if _, err := goCommand(ctx, ".", args...); err != nil {
		return nil, err
	}
	if s.runtime == "" {
		s.runtime = filepath.Join(dir, "handfast")
		_, err = goCommand(ctx, o.repo, "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", s.runtime,
			"./cmd/handfast")
	} else {
		s.runtime, err = exec.LookPath(s.runtime)
	}
	if err != nil {
		return nil, err
	}
	source, err := goCommand(ctx, ".", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return nil, err
	}
	name := "rootfs-" + runtime.GOARCH + ".tar.gz"
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(source), name))
	if err != nil {
		return nil, err
	}
	return s, os.WriteFile(filepath.Join(dir, name), data, 0o644)
}

// goCommand runs the go command in a directory and returns what it prints.
func goCommand(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if exited, ok := err.(*exec.ExitError); ok {
		err = fmt.Errorf("go %s: %w: %s", args[0], err, exited.Stderr)
	}
	return string(out), err
}
