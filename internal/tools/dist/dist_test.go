package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/testenv"
)

func sample() *release {
	return &release{
		version: "1.2.3", commit: strings.Repeat("ab", 20), made: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)),
		pages:       map[string][]byte{"handfast.8": []byte("page"), "handfast-run.8": []byte("run")},
		completions: map[string][]byte{"bash": []byte("b"), "zsh": []byte("z"), "fish": []byte("f")},
		documents:   map[string][]byte{"README.md": []byte("read"), "docs/runtime.md": []byte("runtime")},
		changelog:   []byte("news"),
		licenses:    []notice{{"example.org/module v1.0.0", "\nDo what you want.\n"}},
	}
}

// TestPackage prints what a package consists of.
func TestPackage(t *testing.T) {
	files := debianFiles(sample(), targets()[2], []byte("program"))
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		text := f.data
		if strings.HasSuffix(name, ".gz") {
			r, err := gzip.NewReader(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if text, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		if name == "DEBIAN/md5sums" { // How well Go compresses may change.
			text = regexp.MustCompile(`(?m)^[0-9a-f]{32}(  .*\.gz)$`).ReplaceAll(text, []byte("(sum of compressed data)$1"))
		}
		fmt.Fprintf(&b, "==== %o %s\n%s\n", f.mode, name, bytes.TrimSuffix(text, []byte("\n")))
	}
	golden.Compare(t, "testdata/package.txt", b.String())
}

// TestDebianVersions: versions sort for dpkg as releases follow each other.
func TestDebianVersions(t *testing.T) {
	dpkg := testenv.Tool(t, "dpkg", "dpkg")
	before := "0.1.9-1"
	for _, c := range []struct{ version, want string }{
		{"0.2.0-dev", "0.2.0~dev.20260102020405.abababa-1"},
		{"0.2.0-rc-1", "0.2.0~rc.1-1"},
		{"0.2.0-rc.1-3-gabcdef0", "0.2.0~rc.1+3.gabcdef0-1"},
		{"0.2.0", "0.2.0-1"},
		{"0.2.0-3-gabcdef0", "0.2.0+3.gabcdef0-1"},
		{"0.2.0-12-gabcdef0", "0.2.0+12.gabcdef0-1"},
		{"0.2.1", "0.2.1-1"},
	} {
		r := sample()
		r.version = c.version
		got := debianVersion(r)
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.version, got, c.want)
		}
		if out, err := exec.Command(dpkg, "--compare-versions", before, "lt", got).CombinedOutput(); err != nil {
			t.Errorf("%s is not before %s: %v\n%s", before, got, err, out)
		}
		before = got
	}
}

func TestChoose(t *testing.T) {
	if all, err := choose(""); err != nil || len(all) != len(targets()) {
		t.Errorf("all: %v, %v", all, err)
	}
	some, err := choose("s390x,386")
	if err != nil || len(some) != 2 || some[0].arch != "s390x" || some[1].debian != "i386" {
		t.Errorf("some: %v, %v", some, err)
	}
	if _, err := choose("amd64,vax"); err == nil || !strings.Contains(err.Error(), `-arch: there is no "vax"`) {
		t.Errorf("vax: %v", err)
	}
}

// TestBuildEnv: what changes a program does not reach its build; what finds the tools and the modules does.
func TestBuildEnv(t *testing.T) {
	environ := []string{"PATH=/bin", "HOME=/home/who", "HTTPS_PROXY=p", "VERSION=9", "VERSIONS=2", "COMMIT=c",
		"MAKEFLAGS=s -- VERSION=9", "MAKEOVERRIDES=VERSION=9", "MFLAGS=-s", "MAKELEVEL=1", "GNUMAKEFLAGS=-n",
		"GOFLAGS=-tags=x", "GOAMD64=v3", "GOARM=5", "GOARM64=v9.0", "GO386=softfloat", "GOPPC64=power10",
		"GORISCV64=rva23u64", "GOEXPERIMENT=none", "GOFIPS140=latest", "GOTOOLCHAIN=go1.30.0", "GOENV=/file",
		"GOPROXY=environment", "CGO_ENABLED=1", "CGO_CFLAGS=-g"}
	given := slices.Clone(environ)
	got := buildEnv(environ, map[string]string{"GOPROXY": "file", "GOSUMDB": "off", "GOPRIVATE": "", "GOFLAGS": "-tags=x"})
	want := []string{"PATH=/bin", "HOME=/home/who", "HTTPS_PROXY=p", "VERSIONS=2", "GOPROXY=file", "GOSUMDB=off",
		"GOENV=off", "GOTOOLCHAIN=local", "CGO_ENABLED=0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !slices.Equal(environ, given) {
		t.Error("buildEnv changed its argument")
	}
}

// TestUserSettings: the file of the user's settings counts, as it does for the go command.
func TestUserSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("GOPRIVATE=example.org/x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOENV", file)
	t.Setenv("GOPRIVATE", "")
	t.Setenv("GOPROXY", "https://proxy.example.org")
	got, err := userSettings(t.Context())
	if err != nil || got["GOPRIVATE"] != "example.org/x" || got["GOPROXY"] != "https://proxy.example.org" ||
		got["GOMODCACHE"] == "" || len(got) != len(fetching()) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestSame: whatever differs between two builds is named.
func TestSame(t *testing.T) {
	one, other := t.TempDir(), t.TempDir()
	write := func(dir, name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(one, "a", "1")
	write(other, "a", "1")
	if err := same(one, other); err != nil {
		t.Error(err)
	}
	write(one, "b", "1")
	write(other, "b", "2")
	write(one, "c", "1")
	write(other, "d", "1")
	err := same(one, other)
	for _, want := range []string{"b is not the same", "c is not the same", "d is only in the second"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	sums, err := checksums(other)
	if want := "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b  a\n"; err != nil ||
		!strings.HasPrefix(string(sums), want) || strings.Count(string(sums), "\n") != 3 {
		t.Errorf("%v\n%s", err, sums)
	}
}
