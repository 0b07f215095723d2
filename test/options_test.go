package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestRegex: kill and delete accept a regular expression for many containers at once.
func TestRegex(t *testing.T) {
	r := newRuntime(t)
	id := testenv.ID(t)
	for _, suffix := range []string{"-a1", "-a2", "-b"} {
		r.ok("run", "--detach", "--bundle", shell(t, "exec sleep 1000", nil), id+suffix)
	}
	status := func(suffix string) any { return r.stateOf(id + suffix)["status"] }
	r.ok("kill", "--regex", "a[0-9]$", "KILL")
	r.awaitStatus(id+"-a1", "stopped")
	r.awaitStatus(id+"-a2", "stopped")
	if s := status("-b"); s != "running" {
		t.Errorf("one that does not match is %v", s)
	}
	r.fails([]string{id + "-a1: container not running", id + "-a2: container not running"}, "kill", "--regex", "a[0-9]$")
	r.fails([]string{id + "-b", "not stopped"}, "delete", "--regex", ".")
	for _, suffix := range []string{"-a1", "-a2"} {
		r.fails([]string{"does not exist"}, "state", id+suffix)
	}
	r.ok("delete", "--force", "-r", "^"+id+"-b$", "b$")
	r.ok("delete", "--regex", "nobody")
	r.ok("kill", "--regex", "nobody")
	r.fails([]string{"--regex", "missing closing"}, "delete", "--regex", "[a")
}

// TestCreateWithConfig: the configuration can be outside of the bundle; relative paths are still relative to the
// bundle.
func TestCreateWithConfig(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, "exit 7", nil)
	other := filepath.Join(testenv.Dir(t), "other.json")
	must(t, os.Rename(filepath.Join(bundle, "config.json"), other))
	if o := r.do("run", "--bundle", bundle, "--config", other, id); o.status != 7 {
		t.Errorf("%+v", o)
	}
	r.ok("create", "--bundle", bundle, "--config", other, id)
	if b := r.stateOf(id)["bundle"]; b != bundle {
		t.Errorf("bundle %v", b)
	}
	r.ok("delete", id)
	r.fails([]string{"/nonexistent.json", "no such file or directory"}, "create", "--bundle", bundle, "--config",
		"/nonexistent.json", id)
	data, err := os.ReadFile(other)
	must(t, err)
	must(t, os.WriteFile(other, []byte(strings.Replace(string(data), `"ociVersion": "1.2.0"`, `"ociVersion": "9"`, 1)),
		0o644))
	r.fails([]string{other + ": ociVersion"}, "create", "--bundle", bundle, "--config", other, id)
}

// TestHookOutput: the output of hooks is appended to the files that annotations name, at each point of the life cycle,
// or is part of the error of a hook that fails.
func TestHookOutput(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	dir := testenv.Dir(t)
	stdout, stderr := filepath.Join(dir, "out"), filepath.Join(dir, "err")
	must(t, os.WriteFile(stdout, []byte("before\n"), 0o600))
	bundle := shell(t, "true", func(c map[string]any) {
		c["annotations"] = map[string]any{"run.oci.hooks.stdout": stdout, "run.oci.hooks.stderr": stderr}
		for _, kind := range []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart",
			"poststop"} {
			setHook(c, kind, 0, "/bin/sh", "sh", "-c", "echo "+kind+"; echo bad "+kind+" >&2")
		}
	})
	r.ok("create", "--bundle", bundle, id)
	r.ok("start", id)
	r.awaitStatus(id, "stopped")
	r.ok("delete", id)
	want := "prestart\ncreateRuntime\ncreateContainer\nstartContainer\npoststart\npoststop\n"
	if data, err := os.ReadFile(stdout); err != nil || string(data) != "before\n"+want {
		t.Errorf("%q, %v", data, err)
	}
	if data, err := os.ReadFile(stderr); err != nil || string(data) != "bad "+strings.ReplaceAll(strings.TrimSpace(want),
		"\n", "\nbad ")+"\n" {
		t.Errorf("%q, %v", data, err)
	}
	edit(t, bundle, func(c map[string]any) { setHook(c, "createRuntime", 0, "/bin/sh", "sh", "-c", "echo words; exit 3") })
	r.fails([]string{"createRuntime hook #1", "exit status 3", "words"}, "run", "--bundle", bundle, id)
	edit(t, bundle, func(c map[string]any) {
		delete(c["hooks"].(map[string]any), "poststop")
		c["annotations"].(map[string]any)["run.oci.hooks.stdout"] = "/nonexistent/file"
	})
	r.fails([]string{"annotations.run.oci.hooks.stdout", "/nonexistent/file", "no such file or directory"}, "run",
		"--bundle", bundle, id)
	edit(t, bundle, func(c map[string]any) { c["annotations"].(map[string]any)["run.oci.hooks.stdout"] = "relative" })
	r.fails([]string{"annotations.run.oci.hooks.stdout", `relative`, "not absolute"}, "run", "--bundle", bundle, id)
}

// TestFeaturesForEngines: features has what containerd requires before it offers recursive read-only mounts and user
// namespaces.
func TestFeaturesForEngines(t *testing.T) {
	var f struct {
		OCIVersionMin, OCIVersionMax string
		MountOptions                 []string
		Linux                        struct {
			Namespaces      []string
			MountExtensions struct{ IDMap struct{ Enabled bool } }
			Seccomp         struct{ Enabled bool }
		}
		Annotations map[string]string
	}
	r := newRuntime(t)
	decode(t, r.do("features").stdout, &f)
	has := func(list []string, word string) {
		t.Helper()
		for _, w := range list {
			if w == word {
				return
			}
		}
		t.Errorf("%s is not in %q", word, list)
	}
	for _, o := range []string{"rro", "rnosuid", "idmap", "ridmap"} {
		has(f.MountOptions, o)
	}
	has(f.Linux.Namespaces, "user")
	if !f.Linux.MountExtensions.IDMap.Enabled || !f.Linux.Seccomp.Enabled || f.OCIVersionMin != "1.0.0" ||
		f.OCIVersionMax != "1.3.0" {
		t.Errorf("%+v", f)
	}
	if f.Annotations["org.opencontainers.runc.checkpoint.enabled"] != "true" {
		t.Errorf("checkpoints: %v", f.Annotations)
	}
}

func TestInfo(t *testing.T) {
	r := newRuntime(t)
	contains(t, r.do("info").stdout, "version:", "commit:", "root: ", "cgroups: ", "namespaces: ", "user", "seccomp: ")
	var f struct {
		Root       string
		CgroupMode string
		Processors int
		Namespaces []string
	}
	decode(t, r.do("info", "--format", "json").stdout, &f)
	if f.Root != r.root || f.Processors < 1 || len(f.Namespaces) < 6 || f.CgroupMode == "" {
		t.Errorf("%+v", f)
	}
	r.fails([]string{"--format", "yaml"}, "info", "--format", "yaml")
	if o := r.do("version"); o != r.do("--version") {
		t.Errorf("%+v", o)
	}
}

func decode(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}
