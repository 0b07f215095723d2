package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	fence    = regexp.MustCompile("(?ms)^```.*?^```")
	code     = regexp.MustCompile("`[^`\n]*`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)|<img[^>]* src="([^"]+)"`)
	heading  = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	linkText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// TestLinks: every relative link of every document of the module leads to a file, and its anchor to a heading there.
func TestLinks(t *testing.T) {
	documents, links := 0, 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".md") {
			return err
		}
		documents++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		prose := code.ReplaceAllString(fence.ReplaceAllString(string(text), ""), "")
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			target := m[1] + m[2]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			links++
			if fault := follow(path, target); fault != "" {
				t.Errorf("%s: link to %s: %s", path, target, fault)
			}
		}
		return nil
	})
	if err != nil || documents < 10 || links < 50 {
		t.Errorf("%d documents and %d links found, %v", documents, links, err)
	}
}

// follow says why a link in the document at path leads nowhere, or nothing.
func follow(path, target string) string {
	file, anchor, anchored := strings.Cut(target, "#")
	to := path
	if file != "" {
		to = filepath.Join(filepath.Dir(path), file)
	}
	info, err := os.Stat(to)
	if err != nil {
		return err.Error()
	}
	if !anchored {
		return ""
	}
	if info.IsDir() || !strings.HasSuffix(to, ".md") {
		return "an anchor in what is no document"
	}
	text, err := os.ReadFile(to)
	if err != nil {
		return err.Error()
	}
	if !anchors(string(text))[anchor] {
		return "no heading has this anchor"
	}
	return ""
}

// anchors are those that GitHub gives the headings of a document: small letters, digits, hyphens for spaces, and a
// number where a heading repeats.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		plain := linkText.ReplaceAllString(strings.TrimSpace(m[1]), "$1")
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, plain)
		name := anchor
		for i := 1; found[name]; i++ {
			name = anchor + "-" + string(rune('0'+i))
		}
		found[name] = true
	}
	return found
}

// The check itself must see a link that leads nowhere.
func TestLinksAreFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.md")
	if err := os.WriteFile(path, []byte("# One `two`, three\n# Twice\n# Twice\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for target, good := range map[string]bool{
		"#one-two-three": true, "a.md#twice": true, "#twice-1": true, "a.md": true, ".": true,
		"#twice-2": false, "b.md": false, "#Twice": false, ".#twice": false,
	} {
		if fault := follow(path, target); (fault == "") != good {
			t.Errorf("%s: %q", target, fault)
		}
	}
}
