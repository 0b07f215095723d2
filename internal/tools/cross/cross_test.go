package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRegistration: for s390x this is the line in /usr/lib/binfmt.d of Debian's qemu-user-static, but for the name and
// the path; that for arm64 has the same form.
func TestRegistration(t *testing.T) {
	for arch, want := range map[string]string{
		"s390x": `:handfast-s390x:M::\x7f\x45\x4c\x46\x02\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x16:` +
			`\xff\xff\xff\xff\xff\xff\xff\xfc\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff:/q:FP`,
		"arm64": `:handfast-arm64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:` +
			`\xff\xff\xff\xff\xff\xff\xff\xfc\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/q:FP`,
	} {
		chosen, err := chooseMachines(arch)
		if err != nil {
			t.Fatal(err)
		}
		if got := chosen[0].registration("/q"); got != want {
			t.Errorf("%s:\n%s, want\n%s", arch, got, want)
		}
	}
}

// TestTable: every test that is left out is there, in a package that is in the table, and has a reason.
func TestTable(t *testing.T) {
	sources := map[string]string{}
	for _, s := range suites() {
		files, err := filepath.Glob(filepath.Join("../../..", s.pkg, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Errorf("package %s has no tests: %v", s.pkg, err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources[s.pkg] += string(source)
		}
	}
	for _, u := range unfits() {
		if !strings.Contains(sources[u.pkg], "\nfunc "+u.test+"(") || u.reason == "" {
			t.Errorf("%+v: no such test, or no reason", u)
		}
	}
	if got := skip(unfitIn("internal/seccomp", true)); got != "^(TestClientsInKernel|TestRandomInKernel)$" {
		t.Errorf("internal/seccomp: %s", got)
	}
	if emulated, native := unfitIn("cgroupfs", false), unfitIn("cgroupfs", true); len(emulated) == 0 || len(native) > 0 {
		t.Errorf("cgroupfs: %v emulated, %v native", emulated, native)
	}
}

func TestChoose(t *testing.T) {
	if all, err := chooseMachines(""); err != nil || len(all) != 3 {
		t.Errorf("machines: %v, %v", all, err)
	}
	if _, err := chooseMachines("s390x,vax"); err == nil || !strings.Contains(err.Error(), `-arch: there is no "vax"`) {
		t.Errorf("vax: %v", err)
	}
	if all, err := choosePackages(nil); err != nil || len(all) != len(suites()) {
		t.Errorf("packages: %v, %v", all, err)
	}
	some, err := choosePackages([]string{"./syncproto/example/...", "./internal/oci"})
	if err != nil || len(some) != 4 || some[3].pkg != "internal/oci" {
		t.Errorf("some: %v, %v", some, err)
	}
	if _, err := choosePackages([]string{"./internal/nothing"}); err == nil {
		t.Error("a package that is not in the table was taken")
	}
}

func TestResults(t *testing.T) {
	r := newResults()
	var out strings.Builder
	err := r.read("one", strings.NewReader(`
{"Action":"output","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"pass","Test":"TestGood"}
{"Action":"output","Test":"TestRoot","Output":"=== RUN   TestRoot\n"}
{"Action":"output","Test":"TestRoot","Output":"    need.go:17: needs root: sudo\n"}
{"Action":"output","Test":"TestRoot","Output":"--- SKIP: TestRoot (0.00s)\n"}
{"Action":"skip","Test":"TestRoot"}
{"Action":"output","Test":"TestBad","Output":"=== RUN   TestBad\n"}
{"Action":"output","Test":"TestBad","Output":"    bad_test.go:1: wrong\n"}
{"Action":"fail","Test":"TestBad"}
{"Action":"output","Output":"FAIL\n"}
{"Action":"fail","Elapsed":1.25}
`), &out)
	const want = "    bad_test.go:1: wrong\nFAIL\nfail  one                                 1.2s  1 tests passed\n"
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s, want\n%s", err, out.String(), want)
	}
	if got := r.skipped(); len(got) != 1 || got[0] != "needs root: sudo (1): one: TestRoot" {
		t.Errorf("skipped: %q", got)
	}
	out.Reset()
	if err := r.read("two", strings.NewReader(`{"Action":"build-output","Output":"no such type\n"}
{"Action":"fail"}
`), &out); err == nil || !strings.Contains(out.String(), "no such type") {
		t.Errorf("nothing was built: %v\n%s", err, out.String())
	}
	out.Reset()
	pipe := strings.NewReader("no JSON\n" + strings.Repeat("x", 1<<20))
	if err := r.read("three", pipe, &out); err == nil || pipe.Len() != 0 {
		t.Errorf("no JSON: %v, and %d bytes are left for the pipe", err, pipe.Len())
	}
	if r.fail("one", nil); r.err() != nil {
		t.Errorf("no failure: %v", r.err())
	}
	if r.fail("two", os.ErrInvalid); r.err() == nil || !strings.Contains(r.err().Error(), "two: ") {
		t.Errorf("failures: %v", r.err())
	}
}
