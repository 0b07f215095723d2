package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommands(t *testing.T) {
	for _, c := range []struct {
		run  func() (verdict, string)
		want verdict
		text string
	}{
		{command("/bin/true"), passed, ""},
		{command("/bin/false"), failed, "/bin/false: exit status 1"},
		{command("/no/such/program"), failed, "/no/such/program"},
		{silent("/bin/true"), passed, ""},
		{silent("/bin/echo", "file.go"), failed, "/bin/echo file.go:\nfile.go"},
	} {
		if v, text := c.run(); v != c.want || !strings.Contains(text, c.text) {
			t.Errorf("got %s and %q, want %s and %q", v, text, c.want, c.text)
		}
	}
}

func TestContentsNoticeAChange(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"a", "dir/b", ".git/HEAD", "bin/handfast"} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("one"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before, err := contents(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(before) != 2 {
		t.Errorf("looked at %d files, want a and dir/b only", len(before))
	}
	if err := os.WriteFile("dir/b", []byte("two"), 0o644); err != nil {
		t.Fatal(err)
	}
	after, err := contents(".")
	if err != nil {
		t.Fatal(err)
	}
	if after["a"] != before["a"] || after["dir/b"] == before["dir/b"] {
		t.Error("the digests do not tell which file changed")
	}
}

func TestVulnerabilityDatabase(t *testing.T) {
	missing := httptest.NewServer(http.NotFoundHandler())
	defer missing.Close()
	t.Setenv("GOVULNDB", missing.URL)
	v, text := vulnerabilities()
	if v != skipped || !strings.Contains(text, "nothing was checked") || !strings.Contains(text, "404") {
		t.Errorf("got %s and %q", v, text)
	}
}
