package oci

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

func TestLoadBundle(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "config.json")
	for _, c := range []struct {
		name  string
		setup func() error
		dir   string
		is    error
		want  string
	}{
		{"no bundle", nil, dir + "/none", unix.ENOENT, "bundle: stat " + dir + "/none: no such file or directory"},
		{"no config", nil, dir, unix.ENOENT, "bundle: open " + config + ": no such file or directory"},
		{"a directory", func() error { return os.Mkdir(config, 0o700) }, dir, unix.EISDIR,
			"bundle: read " + config + ": is a directory"},
		{"a FIFO", func() error { return unix.Mkfifo(config, 0o600) }, dir, nil,
			"bundle: " + config + " is not a regular file"},
		{"too large", func() error { return os.WriteFile(config, make([]byte, configLimit+1), 0o600) }, dir, nil,
			"bundle: " + config + " is larger than 16 MiB"},
		{"broken", func() error { return os.WriteFile(config, []byte("{\n]"), 0o600) }, dir, nil,
			config + ":2:1: broken JSON: invalid character ']' looking for beginning of object key string"},
		{"a file as bundle", nil, config, unix.ENOTDIR, "bundle: stat " + config + ": not a directory"},
		{"good", func() error { return os.WriteFile(config, []byte(`{"ociVersion": "1.0.0"}`), 0o600) }, dir, nil, ""},
	} {
		if c.setup != nil {
			_ = os.Remove(config)
			if err := c.setup(); err != nil {
				t.Fatal(err)
			}
		}
		s, abs, err := LoadBundle(c.dir, "")
		if got := text(err); got != c.want || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s\ngot  %s\nwant %s (%v)", c.name, got, c.want, c.is)
		}
		if err == nil && (s.Version != "1.0.0" || abs != dir) {
			t.Errorf("%s: %+v in %s", c.name, s, abs)
		}
	}
	if err := CheckRootfs(config); !errors.Is(err, unix.ENOTDIR) || err.Error() != "root.path: stat "+config+
		": not a directory" {
		t.Errorf("a file as root: %v", err)
	}
	if err := CheckRootfs(dir); err != nil {
		t.Error(err)
	}
}

// TestDefaultSpecs compares the output of the command spec with golden files, and converts it.
func TestDefaultSpecs(t *testing.T) {
	golden.Only(t, "testdata/golden/*.json")
	for file, s := range map[string]*Spec{
		"spec.json": DefaultSpec(true), "spec-v1.json": DefaultSpec(false),
		"spec-rootless.json": RootlessSpec(1000, 1001, true), "spec-rootless-v1.json": RootlessSpec(1000, 1001, false),
	} {
		b, err := s.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, "testdata/golden/"+file, b)
		back, err := Decode(b, file)
		if err != nil {
			t.Fatal(err)
		}
		out, err := Plan(back, Options{Bundle: "/b", ID: "x", Host: testHost()})
		if err != nil || len(out.Warnings) > 0 {
			t.Errorf("%s: %v, %v", file, err, out)
		}
	}
}

// TestSpecAgainstRunc checks that the default configuration equals runc's on a host with the same cgroup version.
// The differences are the host name, the version, and ambient capabilities, which older versions of runc wrote
// without effect.
func TestSpecAgainstRunc(t *testing.T) {
	cmd := exec.Command(testenv.Tool(t, "runc", "runc"), "spec")
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := os.ReadFile(filepath.Join(cmd.Dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	layout, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DefaultSpec(layout.Mode() == cgroupfs.V2).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := map[string]any{}, map[string]any{}
	if err := json.Unmarshal(got, &ours); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &theirs); err != nil {
		t.Fatal(err)
	}
	for _, spec := range []map[string]any{ours, theirs} {
		delete(spec, "ociVersion")
		delete(spec, "hostname")
		delete(spec["process"].(map[string]any)["capabilities"].(map[string]any), "ambient")
	}
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("(-runc +ours)\n%s", diff)
	}
}
