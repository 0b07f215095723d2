package children

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/syncproto/container"
)

// TestChildrenKnowTheProfile: like any child, they contain the profile's hash, in one line each.
func TestChildrenKnowTheProfile(t *testing.T) {
	hash := fmt.Sprintf("%016x", container.InitProfile().Hash())
	for name, line := range map[string]*regexp.Regexp{
		cChild:      regexp.MustCompile(`(?m)^(#define HASH ")([0-9a-f]{16})(")`),
		pythonChild: regexp.MustCompile(`(?m)^(HASH = ")([0-9a-f]{16})(")`),
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := line.FindSubmatch(text)
		switch {
		case found == nil:
			t.Errorf("%s: no line matches %v", name, line)
		case golden.Updating():
			text = line.ReplaceAll(text, []byte("${1}"+hash+"${3}"))
			if err := os.WriteFile(name, text, 0o644); err != nil {
				t.Fatal(err)
			}
		case string(found[2]) != hash:
			t.Errorf("%s has the hash %s, and the profile's is %s (rewrite with -update)", name, found[2], hash)
		}
	}
}
