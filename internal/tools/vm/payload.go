package main

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/handfast/handfast/internal/tools/vm/job"
)

// programs are the commands that tests would otherwise build with go, which the guest does not have.
var programs = []string{"cmd/handfast", "internal/demo/payload", "test/children/notify"}

// testName returns the file name of a suite's compiled tests.
func testName(s *suite) string { return strings.ReplaceAll(s.pkg, "/", "-") + s.arch + ".test" }

// payload makes the image with the files of this run: the compiled tests of the boots, the programs that they use,
// the module with its testdata, and each boot's jobs. All boots have guests of this architecture. The image is in dir
// and is made anew in every run.
func payload(a *arch, dir string, chosen []boot, only string) (image string, err error) {
	root := filepath.Join(dir, "payload")
	under := func(guestPath string) string { return filepath.Join(root, strings.TrimPrefix(guestPath, job.Payload)) }
	if err := os.MkdirAll(under(job.Bin), 0o755); err != nil {
		return "", err
	}
	build := func(goarch string, args ...string) error {
		return command("", "env", append([]string{"GOARCH=" + goarch, "CGO_ENABLED=0", "go"}, args...)...)
	}
	if err := build(a.name, "build", "-buildvcs=false", "-o", under(job.Guest), "./internal/tools/vm/guest"); err != nil {
		return "", err
	}
	for _, p := range programs {
		if err := build(a.name, "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o",
			filepath.Join(under(job.Bin), p), "./"+p); err != nil {
			return "", err
		}
	}
	tests := map[string]suite{} // by file name
	for _, b := range chosen {
		for _, s := range b.suites {
			tests[testName(&s)] = s
		}
		for _, tool := range b.tools {
			if err := tool.Build(filepath.Join(dir, "tools", tool.Name()), under(job.Bin)); err != nil {
				return "", err
			}
		}
		data, err := json.Marshal(b.jobs(only))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(under(job.List(b.name)), data, 0o644); err != nil {
			return "", err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		s := tests[name]
		if err := build(cmp.Or(s.arch, a.name), "test", "-c", "-buildvcs=false", "-ldflags", "-s -w", "-o",
			filepath.Join(under(job.Tests), name), "./"+s.pkg); err != nil {
			return "", err
		}
	}
	if err := copySource(under(job.Source)); err != nil {
		return "", err
	}
	image = filepath.Join(dir, "payload.ext4")
	return image, ext4(root, image, 8)
}

// copySource copies the module's files, for their testdata, without version control and build output.
func copySource(to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		return err
	}
	args := []string{"-a", "-t", to}
	for _, e := range entries {
		if e.Name() != ".git" && e.Name() != "bin" {
			args = append(args, e.Name())
		}
	}
	return command("", "cp", args...)
}
