// Package golden compares what a test produced with a file below its package's testdata directory.
//
// It defines the flag -update for every test binary that imports it: "go test ./PACKAGE -update" rewrites the files,
// and the difference is then read before it is committed. It is imported by tests only.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// compared holds the paths that Compare was given in this process, cleaned, for Only.
var (
	mu       sync.Mutex
	compared = map[string]bool{}
)

// Updating reports whether the test runs with -update. Tests that check generated parts of other files ask it; for a
// whole file Compare does everything.
func Updating() bool { return *update }

// Compare fails the test with a difference by line when the file at path, relative to the package's directory, is not
// exactly got. With -update it writes the file instead, and its directories.
func Compare[T string | []byte](t testing.TB, path string, got T) {
	t.Helper()
	mu.Lock()
	compared[filepath.Clean(path)] = true
	mu.Unlock()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (-update writes the file)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got), -update rewrites it:\n%s", path, diff)
	}
}

// Only fails the test at its end, subtests included, when a file that matches the pattern (as in filepath.Glob) has not
// been compared: the case that made it is gone, and nothing would notice if the file were wrong. With -update such a
// file is removed. The paths in others belong to other tests. A test that failed, was skipped, or ran with some of its
// subtests filtered out is not judged.
func Only(t testing.TB, pattern string, others ...string) {
	t.Helper()
	t.Cleanup(func() {
		t.Helper()
		if t.Failed() || t.Skipped() || filtered() {
			return
		}
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Errorf("no file matches %q: %v", pattern, err)
		}
		for _, path := range files {
			mu.Lock()
			used := compared[filepath.Clean(path)]
			mu.Unlock()
			switch {
			case used || slices.Contains(others, path):
			case *update:
				if err := os.Remove(path); err != nil {
					t.Error(err)
				}
			default:
				t.Errorf("%s is stale: no test compares anything with it; -update removes it", path)
			}
		}
	})
}

// filtered reports whether the command line may have left out subtests.
func filtered() bool {
	run, skip := flag.Lookup("test.run"), flag.Lookup("test.skip")
	return run != nil && strings.Contains(run.Value.String(), "/") || skip != nil && skip.Value.String() != ""
}
