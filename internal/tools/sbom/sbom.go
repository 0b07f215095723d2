// Package sbom writes the bill of materials of a Go program: the modules that it was linked from, as the go command
// recorded them in the program itself. It is pure: the same program and time give the same bytes.
package sbom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// stdlib is the path under which the standard library and the runtime appear.
const stdlib = "std"

// Program is what a bill of materials says about a program.
type Program struct {
	Name    string
	Version string           // as the program itself says it, without a leading v
	Commit  string           // of the source, in hexadecimal
	SHA256  string           // of the program's file, in hexadecimal
	Made    time.Time        // the time of the commit: the time of the build would make two builds differ
	Build   *debug.BuildInfo // of the program's file
}

// The members of CycloneDX 1.5 that are used, https://cyclonedx.org/docs/1.5/json/.
type (
	document struct {
		Schema       string       `json:"$schema"`
		Format       string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Timestamp string    `json:"timestamp"`
		Component component `json:"component"`
	}
	component struct {
		Ref        string      `json:"bom-ref"`
		Type       string      `json:"type"`
		Name       string      `json:"name"`
		Version    string      `json:"version"`
		Hashes     []hash      `json:"hashes,omitempty"`
		Licenses   []license   `json:"licenses"`
		PURL       string      `json:"purl"`
		References []reference `json:"externalReferences,omitempty"`
		Properties []property  `json:"properties,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	license struct {
		License struct {
			ID string `json:"id"`
		} `json:"license"`
	}
	reference struct {
		Type    string `json:"type"`
		URL     string `json:"url"`
		Comment string `json:"comment"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

// CycloneDX returns the bill of materials in the JSON form of CycloneDX 1.5, with a newline at its end. It has one
// component for each module and one for the standard library. The sum of a module that go.sum knows is the property
// go.sum, because it is no checksum of a file. A module without a line in licenses is an error.
func CycloneDX(p Program) ([]byte, error) {
	main := p.Build.Main.Path
	self, err := module(main, "v"+p.Version, "application")
	if err != nil {
		return nil, err
	}
	self.Name, self.Version = p.Name, p.Version
	self.Hashes = []hash{{"SHA-256", p.SHA256}}
	self.References = []reference{{"vcs", "https://" + main, "commit " + p.Commit}}
	for _, s := range p.Build.Settings {
		self.Properties = append(self.Properties, property{"go.build." + s.Key, s.Value})
	}

	std, err := module(stdlib, strings.TrimPrefix(p.Build.GoVersion, "go"), "library")
	if err != nil {
		return nil, err
	}
	parts := []component{std}
	for _, m := range p.Build.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c, err := module(m.Path, m.Version, "library")
		if err != nil {
			return nil, err
		}
		if m.Sum != "" {
			c.Properties = []property{{"go.sum", m.Sum}}
		}
		parts = append(parts, c)
	}
	slices.SortFunc(parts, func(a, b component) int { return strings.Compare(a.Ref, b.Ref) })
	refs := make([]string, len(parts))
	for i, c := range parts {
		refs[i] = c.Ref
	}

	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(document{
		Schema: "http://cyclonedx.org/schema/bom-1.5.schema.json", Format: "CycloneDX", SpecVersion: "1.5", Version: 1,
		Metadata:     metadata{Timestamp: p.Made.UTC().Format(time.RFC3339), Component: self},
		Components:   parts,
		Dependencies: []dependency{{self.Ref, refs}},
	})
	return b.Bytes(), err
}

// module returns the component of one module; its package URL names it everywhere in the document.
func module(path, version, kind string) (component, error) {
	id, known := licenses()[path]
	if !known {
		return component{}, fmt.Errorf("the license of module %s is not known: add its SPDX identifier to licenses in "+
			"internal/tools/sbom", path)
	}
	l := license{}
	l.License.ID = id
	url := "pkg:golang/" + path + "@" + version
	return component{Ref: url, Type: kind, Name: path, Version: version, Licenses: []license{l}, PURL: url}, nil
}

// licenses are the SPDX identifiers of the licenses of what the program is linked from, by module. Somebody has read
// each of them.
func licenses() map[string]string {
	return map[string]string{
		"github.com/handfast/handfast": "Apache-2.0",
		stdlib:                         "BSD-3-Clause",
		"golang.org/x/sys":             "BSD-3-Clause",
	}
}
