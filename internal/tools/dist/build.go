package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/handfast/handfast/internal/tools/sbom"
)

// A build is everything of a release, made once: a clone of the commit, a build cache of its own, and a directory for
// what comes out.
type build struct {
	source string // the clone
	out    string
	env    []string // of every command
	release
	versionText string // what --version prints, which is the same for every architecture
}

// newBuild clones the commit into a new directory below dir. variables are set for all commands.
func newBuild(ctx context.Context, dir, from, commit string, variables ...string) (*build, error) {
	b := &build{source: filepath.Join(dir, "source"), out: filepath.Join(dir, "out")}
	fetch, err := userSettings(ctx)
	if err != nil {
		return nil, err
	}
	b.env = append(buildEnv(os.Environ(), fetch), "GOCACHE="+filepath.Join(dir, "cache"))
	b.env = append(b.env, variables...)
	b.commit = commit
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return nil, err
	}
	if _, err := b.run(ctx, dir, "git", "clone", "-q", from, b.source); err != nil {
		return nil, err
	}
	if _, err := b.run(ctx, b.source, "git", "checkout", "-q", commit); err != nil {
		return nil, err
	}
	seconds, err := b.run(ctx, b.source, "git", "log", "-1", "--format=%ct", commit)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(seconds), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("git log: the time of commit %s: %w", commit, err)
	}
	b.made = time.Unix(n, 0)
	b.env = append(b.env, fmt.Sprintf("SOURCE_DATE_EPOCH=%d", n))
	return b, nil
}

// userSettings returns the settings of the variables in fetching, from the environment or the user's file of them.
func userSettings(ctx context.Context) (map[string]string, error) {
	text, err := output(exec.CommandContext(ctx, "go", append([]string{"env", "-json"}, fetching()...)...))
	if err != nil {
		return nil, err
	}
	var settings map[string]string
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		return nil, fmt.Errorf("go env -json: %w", err)
	}
	return settings, nil
}

// run runs a command in a directory and returns what it printed on its standard output.
func (b *build) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = b.env
	return output(cmd)
}

// output runs a command. Its error has what the command printed.
func output(cmd *exec.Cmd) (string, error) {
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, out.String(), complaints.String())
	}
	return out.String(), nil
}

// all makes everything of the release.
func (b *build) all(ctx context.Context, chosen []target) error {
	native, err := b.program(ctx, runtime.GOARCH)
	if err != nil {
		return err
	}
	if err := b.describe(ctx, native); err != nil {
		return err
	}
	for _, t := range chosen {
		program, err := b.program(ctx, t.arch)
		if err != nil {
			return err
		}
		if err := b.publish(ctx, program, t); err != nil {
			return err
		}
	}
	return nil
}

// program builds the program for an architecture and returns its path.
func (b *build) program(ctx context.Context, arch string) (string, error) {
	path := filepath.Join(b.source, "bin", "handfast."+arch)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if _, err := b.run(ctx, b.source, "env", "GOARCH="+arch, "make", "-s", "build"); err != nil {
		return "", err
	}
	return path, os.Rename(filepath.Join(b.source, "bin", "handfast"), path)
}

// describe fills in what all packages have in common; program runs on this machine.
func (b *build) describe(ctx context.Context, program string) (err error) {
	if b.versionText, err = b.run(ctx, b.source, program, "--version"); err != nil {
		return err
	}
	first, _, _ := strings.Cut(b.versionText, "\n")
	found := false
	if b.version, found = strings.CutPrefix(first, "handfast version "); !found {
		return fmt.Errorf("%s --version: the first line is %q, want handfast version and the version", program, first)
	}
	b.completions = map[string][]byte{}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script, err := b.run(ctx, b.source, program, "completion", shell)
		if err != nil {
			return err
		}
		b.completions[shell] = []byte(script)
	}
	pages := filepath.Join(b.source, "bin", "manual")
	if err := os.Mkdir(pages, 0o755); err != nil {
		return err
	}
	if _, err := b.run(ctx, b.source, program, "man", "--output", pages); err != nil {
		return err
	}
	if b.pages, err = read(pages, "*"); err != nil {
		return err
	}
	if b.documents, err = read(b.source, "README.md", "SECURITY.md", "docs/*.md", "docs/*.svg"); err != nil {
		return err
	}
	if b.changelog, err = os.ReadFile(filepath.Join(b.source, "CHANGELOG.md")); err != nil {
		return err
	}
	return b.notices(ctx, program)
}

// read returns the files below dir that match the patterns, by their path from there.
func read(dir string, patterns ...string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err == nil && len(paths) == 0 {
			err = fmt.Errorf("%s: %w", filepath.Join(dir, pattern), fs.ErrNotExist)
		}
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return nil, err
			}
			if files[name], err = os.ReadFile(path); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// notices reads the licenses of the standard library and of the modules in the program, where the go command has their
// source.
func (b *build) notices(ctx context.Context, program string) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	root, err := b.run(ctx, b.source, "go", "env", "GOROOT")
	if err != nil {
		return err
	}
	add := func(name, dir string) error {
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(dir), "LICENSE"))
		if err != nil {
			return fmt.Errorf("the license of %s: %w", name, err)
		}
		b.licenses = append(b.licenses, notice{name, string(text)})
		return nil
	}
	if err := add("The standard library of Go, and its runtime", root); err != nil {
		return err
	}
	for _, m := range info.Deps {
		dir, err := b.run(ctx, b.source, "go", "list", "-m", "-f", "{{.Dir}}", m.Path)
		if err != nil {
			return err
		}
		if err := add(m.Path+" "+m.Version, dir); err != nil {
			return err
		}
	}
	return nil
}

// publish puts the program, its bill of materials and its package into the directory out.
func (b *build) publish(ctx context.Context, program string, t target) error {
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	bill, err := sbom.CycloneDX(sbom.Program{Name: "handfast", Version: b.version, Commit: b.commit,
		SHA256: fmt.Sprintf("%x", sha256.Sum256(data)), Made: b.made, Build: info})
	if err != nil {
		return err
	}
	name := filepath.Join(b.out, "handfast."+t.arch)
	if err := os.WriteFile(name, data, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name+".cdx.json", bill, 0o644); err != nil {
		return err
	}
	if t.debian == "" {
		return nil
	}
	tree := filepath.Join(b.source, "bin", "tree."+t.arch)
	for name, f := range debianFiles(&b.release, t, data) {
		path := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.data, fs.FileMode(f.mode)); err != nil {
			return err
		}
	}
	// One thread: how the compressor splits its work is then the same on every machine. The times of all files, which
	// are new, become SOURCE_DATE_EPOCH.
	_, err = b.run(ctx, b.source, "dpkg-deb", "--root-owner-group", "-Zxz", "--threads-max=1", "--build", tree,
		filepath.Join(b.out, debianName(&b.release, t)))
	return err
}
