package sbom

import (
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/handfast/handfast/internal/golden"
)

func sample() Program {
	return Program{
		Name: "handfast", Version: "1.2.3", Commit: strings.Repeat("ab", 20), SHA256: strings.Repeat("cd", 32),
		Made: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)),
		Build: &debug.BuildInfo{
			GoVersion: "go1.26.0", Path: "github.com/handfast/handfast/cmd/handfast",
			Main:     debug.Module{Path: "github.com/handfast/handfast", Version: "(devel)"},
			Deps:     []*debug.Module{{Path: "golang.org/x/sys", Version: "v0.1.0", Sum: "h1:AAAA="}},
			Settings: []debug.BuildSetting{{Key: "GOARCH", Value: "s390x"}, {Key: "-trimpath", Value: "true"}},
		},
	}
}

func TestCycloneDX(t *testing.T) {
	got, err := CycloneDX(sample())
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/sample.cdx.json", got)
}

// TestReplacement: a replaced module is not in the program; what replaces it is.
func TestReplacement(t *testing.T) {
	p := sample()
	p.Build.Deps = []*debug.Module{{Path: "example.org/gone", Version: "v1.0.0",
		Replace: &debug.Module{Path: "golang.org/x/sys", Version: "v0.2.0"}}}
	got, err := CycloneDX(p)
	if err != nil || strings.Contains(string(got), "example.org") || !strings.Contains(string(got), "sys@v0.2.0") {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestUnknownLicense(t *testing.T) {
	p := sample()
	p.Build.Deps[0].Path = "example.org/new"
	if _, err := CycloneDX(p); err == nil || !strings.Contains(err.Error(), "example.org/new") {
		t.Errorf("%v", err)
	}
}

// TestEveryModuleHasALicense: the modules of the program are those in the table.
func TestEveryModuleHasALicense(t *testing.T) {
	out, err := exec.Command("go", "list", "-buildvcs=false", "-deps", "-f", "{{with .Module}}{{.Path}}{{else}}std{{end}}",
		"github.com/handfast/handfast/cmd/handfast").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for path := range strings.FieldsSeq(string(out)) {
		if licenses()[path] == "" && !seen[path] {
			t.Errorf("%s has no line in licenses", path)
		}
		seen[path] = true
	}
	for path := range licenses() {
		if !seen[path] {
			t.Errorf("licenses has a line for %s, which the program does not use", path)
		}
	}
}
