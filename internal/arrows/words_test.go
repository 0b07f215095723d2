package arrows

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The protocol uses one word for each idea (docs/architecture.md, "Words"): a request gets a reply, it is pending
// until then, and the side that sends it is the requester.
var (
	bannedIdentifier = regexp.MustCompile(`^(answer|asker|unanswered)|(Answer|Asker|Unanswered)`)
	bannedComment    = regexp.MustCompile(`(?i)\b(answer(s|ed|ing)?|askers?|unanswered)\b`)
)

// protocolFolders contain the protocol and what is built on it. Elsewhere, a user may answer a prompt.
var protocolFolders = []string{"syncproto", "fuzz", "docs", "internal/conformance", "internal/trace"}

func TestProtocolWords(t *testing.T) {
	files := 0
	for _, folder := range protocolFolders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			files++
			for _, found := range bannedWords(t, path) {
				t.Errorf("%s: see \"Words\" in docs/architecture.md", found)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Errorf("only %d files were checked", files)
	}
}

// bannedWords returns the banned words in the identifiers and comments of a file, each with its position.
func bannedWords(t *testing.T, path string) (found []string) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && bannedIdentifier.MatchString(id.Name) {
			found = append(found, set.Position(id.Pos()).String()+": identifier "+id.Name)
		}
		return true
	})
	for _, group := range file.Comments {
		for _, c := range group.List {
			if word := bannedComment.FindString(c.Text); word != "" {
				found = append(found, set.Position(c.Pos()).String()+": comment with "+word)
			}
		}
	}
	return found
}

func TestBannedWordsAreFound(t *testing.T) {
	got := bannedWords(t, "testdata/words.go")
	want := []string{"identifier answerOf", "comment with answers"}
	if len(got) != len(want) || !slices.ContainsFunc(got, func(s string) bool { return strings.HasSuffix(s, want[0]) }) ||
		!slices.ContainsFunc(got, func(s string) bool { return strings.HasSuffix(s, want[1]) }) {
		t.Errorf("found %q, want %q", got, want)
	}
}
