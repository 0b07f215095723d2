package oci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/golden"
)

// testHost is root on a host with only cgroup v2.
func testHost() Host {
	return Host{Cgroup: CgroupHost{Version: 2, Hierarchies: []CgroupHierarchy{{Mountpoint: "/sys/fs/cgroup", V2: true}}}}
}

// TestClients converts configurations that real clients wrote. Each must be accepted, and its meaning is compared
// with a golden file.
func TestClients(t *testing.T) {
	golden.Only(t, "testdata/golden/*.txt", "testdata/golden/resources.txt", "testdata/golden/children.txt")
	for _, c := range clientSpecs(t) {
		t.Run(c.name, func(t *testing.T) {
			golden.Compare(t, "testdata/golden/"+c.name+".txt", describe(t, c.spec))
		})
	}
}

// clientSpec is a configuration that a client wrote.
type clientSpec struct {
	name string
	spec *Spec
}

func clientSpecs(t *testing.T) (all []clientSpec) {
	t.Helper()
	files, err := filepath.Glob("testdata/clients/*.config.json")
	if err != nil || len(files) != 36 {
		t.Fatalf("%d configurations, want 36: %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		spec, err := Decode(data, "config.json")
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, clientSpec{strings.TrimSuffix(filepath.Base(file), ".config.json"), spec})
	}
	return all
}

func describe(t *testing.T, spec *Spec) []byte {
	t.Helper()
	opt := Options{Bundle: "/bundle", ID: "ctr", Host: testHost()}
	var b bytes.Buffer
	out, err := Plan(spec, opt)
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString("accepted\n")
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(struct {
		Namespaces, UIDMappings, GIDMappings, OOMScoreAdj any
		Container, Resources                              any
		CgroupPath                                        string
		Seccomp                                           string
		Hooks, Annotations, Warnings                      any
	}{
		out.Spawn.Namespaces, out.Spawn.UIDMappings, out.Spawn.GIDMappings, out.Spawn.OOMScoreAdj,
		out.Spawn.Container, out.Resources, out.CgroupPath, fmt.Sprintf("%d bytes",
			len(out.Seccomp)), out.Hooks, out.Annotations, out.Warnings,
	}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestClientProcesses decodes process files that clients pass to exec.
func TestClientProcesses(t *testing.T) {
	files, err := filepath.Glob("testdata/clients/*.process.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 7 {
		t.Fatalf("%d process files, want 7", len(files))
	}
	for _, file := range files {
		p, err := LoadProcess(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Args) == 0 || p.Cwd == "" || len(p.Env) == 0 {
			t.Errorf("%s: process %+v misses args, cwd or env", file, p)
		}
	}
}
