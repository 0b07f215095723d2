package main

import (
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// The child is this binary, executed again.
func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{First: func() {
		if os.Getenv("HELLO_SOCKET") != "" {
			main()
			os.Exit(0)
		}
	}})
}

func Example() {
	main()
	// Output:
	// the child: the root of 49 is 7
	// the child: no: -4 has no root
	// the child: the root of 81 is 9
}

// The documentation of package transport shows this program, and no other.
func TestTheDocumentedProgramIsThisOne(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(source), "\npackage main\n")
	var indented strings.Builder
	for line := range strings.Lines("package main\n" + program) {
		if line != "\n" {
			indented.WriteByte('\t')
		}
		indented.WriteString(line)
	}
	const doc = "../../transport/doc.go"
	file, err := parser.ParseFile(token.NewFileSet(), doc, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(file.Doc.Text(), indented.String()) {
		t.Errorf("%s does not contain main.go from its package clause on, indented:\n%s", doc, indented.String())
	}
}
