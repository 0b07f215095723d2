package cgroupfs

import (
	"path"
	"strings"
	"testing"
)

// FuzzSubPath: what is accepted stays below whatever it is joined to, name by name.
func FuzzSubPath(f *testing.F) {
	for _, seed := range []string{"", "/", "a", "/a/b", "..", "a/../..", "./a", "a//b", "a/", "...", "a\x00b", "-",
		strings.Repeat("x", 256)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		rel, err := checkSub(p, p)
		if err != nil {
			return
		}
		if joined := path.Join("/group", rel); joined != strings.TrimSuffix("/group/"+rel, "/") ||
			joined != "/group" && !strings.HasPrefix(joined, "/group/") {
			t.Errorf("%q is accepted as %q and leads to %q", p, rel, joined)
		}
	})
}
