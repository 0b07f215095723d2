package history

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/golden"
)

// mistake is one that was made: then shows it on the form that the handshake had, now that today's refuses or survives
// the same. Where the transport's own tests have the second half, elsewhere names them.
type mistake struct {
	ref       string // B: on the wire; F: in a function; H: still there in 2026
	was       string
	is        string
	then, now func(t *testing.T)
	elsewhere []string // tests of syncproto/transport
}

func mistakes() []mistake { return append(append(onTheWire(), inFunctions()...), inHead()...) }

func TestMistakes(t *testing.T) {
	tests := transportTests(t)
	var list strings.Builder
	for _, m := range mistakes() {
		t.Run(m.ref, func(t *testing.T) {
			t.Run("then", m.then)
			if m.now != nil {
				t.Run("now", m.now)
			}
			if m.now == nil && len(m.elsewhere) == 0 {
				t.Error("nothing shows that it cannot be made any more")
			}
			for _, name := range m.elsewhere {
				if !tests[name] {
					t.Errorf("syncproto/transport has no test %s", name)
				}
			}
		})
		fmt.Fprintf(&list, "%-5s then: %s\n      now:  %s\n", m.ref, m.was, m.is)
		for _, name := range m.elsewhere {
			fmt.Fprintf(&list, "            syncproto/transport %s\n", name)
		}
	}
	golden.Compare(t, "testdata/mistakes.golden", list.String())
}

// transportTests are the names of the tests that the other half of this table is.
func transportTests(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, file := range []string{"history_test.go", "conn_test.go", "peer_test.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), "../../syncproto/transport/"+file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}
