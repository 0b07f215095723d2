package seccomp

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// clientProfiles returns the profiles in the configurations of container managers, by the file's name, each profile
// once.
func clientProfiles(t testing.TB) map[string]*Profile {
	t.Helper()
	files, err := filepath.Glob("../oci/testdata/clients/*.config.json")
	if err != nil {
		t.Fatal(err)
	}
	profiles := make(map[string]*Profile)
	seen := make(map[string]bool)
	found := 0
	for _, file := range files {
		p, err := Parse(profileOf(t, file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if p == nil {
			continue
		}
		found++
		if !seen[p.String()] {
			seen[p.String()] = true
			profiles[strings.TrimSuffix(filepath.Base(file), ".config.json")] = p
		}
	}
	if found < 20 || len(profiles) < 5 {
		t.Fatalf("%d configurations with a profile, %d of them different, in %v", found, len(profiles), files)
	}
	return profiles
}

// profileOf returns linux.seccomp of a configuration.
func profileOf(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Linux struct {
			Seccomp json.RawMessage `json:"seccomp"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	return config.Linux.Seccomp
}
