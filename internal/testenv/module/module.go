// Package module builds programs of other modules, for tests that need a newer version than the distribution's, or one
// that it does not have.
package module

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// A Program is a command of a module, at one version. All of it follows from its fields.
type Program struct {
	Module, Version string
	Package         string // relative to the module; empty: the module's own
	Parts           string // version of the modules that the module replaces by directories which it does not publish
	Variable        string // of the program, which the build sets to Version without its v; empty: none
	Tags            string // of the build
	Cgo             bool   // the program has parts in C, so that it needs a compiler, and is not static
}

// Name is the name of the program's file.
func (p Program) Name() string { return path.Base(path.Join(p.Module, p.Package)) }

// Source is where the module cache has a module: its directory, which is read-only, and its go.mod.
type Source struct{ Dir, GoMod string }

// Download brings a module into the module cache. The error has what the go command said.
func Download(ctx context.Context, module, version string) (Source, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module+"@"+version)
	cmd.Dir = os.TempDir() // outside of any module, whose go.mod would be checked
	out, err := cmd.Output()
	var downloaded struct {
		Source
		Error string
	}
	if jsonErr := json.Unmarshal(out, &downloaded); jsonErr == nil && downloaded.Error != "" {
		return Source{}, fmt.Errorf("%s %s: %s", module, version, downloaded.Error)
	}
	if err != nil {
		return Source{}, fmt.Errorf("downloading %s %s: %w", module, version, err)
	}
	return downloaded.Source, nil
}

// Build makes the program in the directory to. scratch is for a module in which it is built.
// The go command downloads what it needs. The error has what it said.
func (p Program) Build(scratch, to string) error {
	to, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		return err
	}
	source, err := Download(context.Background(), p.Module, p.Version)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(source.GoMod)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(scratch, "go.mod"), []byte(p.goMod(string(data))), 0o644); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-mod=mod", "-tags", p.Tags, "-ldflags", p.linkerFlags(),
		"-o", filepath.Join(to, p.Name()), path.Join(p.Module, p.Package))
	cgo := "CGO_ENABLED=0"
	if p.Cgo {
		cgo = "CGO_ENABLED=1"
	}
	cmd.Dir, cmd.Env = scratch, append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s of %s %s: %w\n%s", p.Name(), p.Module, p.Version, err, out)
	}
	return nil
}

// linkerFlags returns the value of go build's option -ldflags.
func (p Program) linkerFlags() string {
	if p.Variable == "" {
		return "-s -w"
	}
	return fmt.Sprintf("-s -w -X %s=%s", p.Variable, strings.TrimPrefix(p.Version, "v"))
}

// goMod returns the go.mod of a module that requires nothing but the program's, whose own go.mod is given: the
// directories that this one names in place of modules are replaced by the modules.
func (p Program) goMod(its string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "module build\n\ngo %s\n\nrequire %s %s\n", strings.TrimPrefix(runtime.Version(), "go"),
		p.Module, p.Version)
	for line := range strings.Lines(its) {
		name, to, found := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "replace "), " => ")
		if found && strings.HasPrefix(to, "./") && p.Parts != "" {
			fmt.Fprintf(&b, "replace %s => %s %s\n", name, name, p.Parts)
		}
	}
	return b.String()
}
