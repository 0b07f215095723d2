package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorder is a test that notes what it is told. Methods that it lacks would panic.
type recorder struct {
	testing.TB
	text    strings.Builder
	fatal   bool
	skipped bool
	cleanup []func()
}

func (r *recorder) Helper()                      {}
func (r *recorder) Cleanup(f func())             { r.cleanup = append(r.cleanup, f) }
func (r *recorder) Failed() bool                 { return r.text.Len() > 0 }
func (r *recorder) Skipped() bool                { return r.skipped }
func (r *recorder) Error(args ...any)            { fmt.Fprintln(&r.text, args...) }
func (r *recorder) Errorf(form string, v ...any) { fmt.Fprintf(&r.text, form+"\n", v...) }
func (r *recorder) Fatalf(form string, v ...any) { r.Errorf(form, v...); r.fatal = true; panic(r) }
func (r *recorder) Fatal(args ...any)            { r.Error(args...); r.fatal = true; panic(r) }

// record runs f as a test and its cleanups, and returns what it was told.
func record(r *recorder, f func(t testing.TB)) string {
	func() {
		defer func() {
			if v := recover(); v != nil && v != any(r) {
				panic(v)
			}
		}()
		f(r)
	}()
	for _, c := range r.cleanup {
		c()
	}
	return r.text.String()
}

// inDir runs the test in an empty directory, without what other tests have compared.
func inDir(t *testing.T, updating bool) {
	t.Helper()
	t.Chdir(t.TempDir())
	was, had := *update, compared
	*update, compared = updating, map[string]bool{}
	t.Cleanup(func() { *update, compared = was, had })
}

func TestCompare(t *testing.T) {
	const path = "testdata/deep/a.txt"
	inDir(t, false)
	if got := record(&recorder{}, func(t testing.TB) { Compare(t, path, "one\n") }); !strings.Contains(got, path) ||
		!strings.Contains(got, "-update") {
		t.Errorf("a missing file: %q", got)
	}
	*update = true
	if got := record(&recorder{}, func(t testing.TB) { Compare(t, path, "one\ntwo\nthree\n") }); got != "" {
		t.Errorf("writing: %q", got)
	}
	*update = false
	if got := record(&recorder{}, func(t testing.TB) { Compare(t, path, []byte("one\ntwo\nthree\n")) }); got != "" {
		t.Errorf("equal: %q", got)
	}
	got := record(&recorder{}, func(t testing.TB) { Compare(t, path, "one\n2\nthree\n") })
	for _, want := range []string{path, "-update", "two", "2"} {
		if !strings.Contains(got, want) {
			t.Errorf("different, without %q: %q", want, got)
		}
	}
}

func TestOnly(t *testing.T) {
	inDir(t, false)
	for _, name := range []string{"used.txt", "stale.txt", "other.txt", "input.json"} {
		if err := os.WriteFile(name, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(r *recorder) string {
		return record(r, func(t testing.TB) {
			Only(t, "*.txt", "other.txt")
			Compare(t, "used.txt", "x")
		})
	}
	got := run(&recorder{})
	if !strings.Contains(got, "stale.txt is stale") || strings.Contains(got, "used") || strings.Contains(got, "input") ||
		strings.Contains(got, "other") {
		t.Errorf("%q", got)
	}
	if got := run(&recorder{skipped: true}); got != "" {
		t.Errorf("a skipped test was judged: %q", got)
	}
	if got := record(&recorder{}, func(t testing.TB) { Only(t, "*.none") }); !strings.Contains(got, "no file matches") {
		t.Errorf("a pattern of nothing: %q", got)
	}
	*update = true
	if got := run(&recorder{}); got != "" {
		t.Errorf("updating: %q", got)
	}
	left, err := filepath.Glob("*")
	if err != nil || strings.Join(left, " ") != "input.json other.txt used.txt" {
		t.Errorf("updating left %q, %v", left, err)
	}
}
