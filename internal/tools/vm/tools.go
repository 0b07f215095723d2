package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// A tool is a program of another module that the tests of a boot use.
type tool struct {
	module, version string
	program         string // its package, relative to the module
	parts           string // version of the modules that the module replaces by directories which it does not publish
}

// build makes the program in the directory to. scratch is for a module in which it is built.
func (t tool) build(scratch, to string) error {
	file := filepath.Join(to, path.Base(t.program))
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		return err
	}
	out, err := exec.Command("go", "mod", "download", "-json", t.module+"@"+t.version).Output()
	var downloaded struct{ GoMod, Error string }
	if jsonErr := json.Unmarshal(out, &downloaded); jsonErr == nil && downloaded.Error != "" {
		return fmt.Errorf("%s %s: %s", t.module, t.version, downloaded.Error)
	}
	if err != nil {
		return fmt.Errorf("downloading %s %s: %w", t.module, t.version, err)
	}
	data, err := os.ReadFile(downloaded.GoMod)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(scratch, "go.mod"), []byte(t.goMod(string(data))), 0o644); err != nil {
		return err
	}
	return command(scratch, "env", "CGO_ENABLED=0", "go", "build", "-mod=mod", "-ldflags", "-s -w", "-o", file,
		t.module+"/"+t.program)
}

// goMod returns the go.mod of a module that requires nothing but the tool's, whose own go.mod is given: the
// directories that this one names in place of modules are replaced by the modules.
func (t tool) goMod(its string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "module build\n\ngo %s\n\nrequire %s %s\n", strings.TrimPrefix(runtime.Version(), "go"),
		t.module, t.version)
	for line := range strings.Lines(its) {
		name, to, found := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "replace "), " => ")
		if found && strings.HasPrefix(to, "./") && t.parts != "" {
			fmt.Fprintf(&b, "replace %s => %s %s\n", name, name, t.parts)
		}
	}
	return b.String()
}
