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

// mistake is a mistake of the past. then shows it with the handshake of its time, and now that today's refuses or
// survives the same. If tests of the transport cover the second half, elsewhere has their names.
type mistake struct {
	ref       string // B: in the messages; F: in a function; H: still present in 2026
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
				t.Error("no test shows that it cannot happen any more")
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

// transportTests returns the names of the transport's tests, which are the second half of some mistakes.
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
