package docs

import (
	doc "go/doc/comment"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// Every heading of a package's documentation is shown as one. A heading without an empty line before and after it
// becomes part of a paragraph.
func TestHeadingsOfPackages(t *testing.T) {
	packages, headings := 0, 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil || f.Doc == nil {
			return err
		}
		packages++
		var p doc.Parser
		for _, block := range p.Parse(f.Doc.Text()).Content {
			switch b := block.(type) {
			case *doc.Heading:
				headings++
			case *doc.Paragraph:
				for _, text := range b.Text {
					if s, ok := text.(doc.Plain); ok && strings.Contains("\n"+string(s), "\n# ") {
						t.Errorf("%s: a heading without empty lines around it in %q", path, s)
					}
				}
			}
		}
		return nil
	})
	if err != nil || packages < 20 || headings < 10 {
		t.Errorf("%d packages, %d headings: %v", packages, headings, err)
	}
}
