package arrows

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.." // the module's root, seen from this package

func goList(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-buildvcs=false"}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, stderr.String())
	}
	return string(out)
}

func graph(t *testing.T) Graph {
	t.Helper()
	return ParseGraph(goList(t, "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./..."))
}

func TestArrows(t *testing.T) {
	g := graph(t)
	for _, r := range Rules() {
		for _, v := range g.Violations(r) {
			t.Error(v)
		}
	}
}

// TestProductDependencies checks that the product itself uses few modules. What only tests and tools need is not
// counted.
func TestProductDependencies(t *testing.T) {
	g := graph(t)
	args := []string{"-deps", "-f", `{{with .Module}}{{.Path}}{{end}}`}
	for _, pattern := range Product() {
		args = append(args, g.Match(pattern)...)
	}
	modules := goList(t, args...)
	for _, m := range slices.Compact(slices.Sorted(strings.FieldsSeq(modules))) {
		if m != Module && !slices.Contains(OnlyDependencies(), m) {
			t.Errorf("the product depends on %s, which is not in OnlyDependencies", m)
		}
	}
}

// TestNoPathsInChild checks the child's source code, because a call by path compiles and works until an image
// attacks it.
func TestNoPathsInChild(t *testing.T) {
	files, err := filepath.Glob(root + "/nsinit/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no source of nsinit found: %v", err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, use := range byPathUses(t, name, string(source)) {
			t.Errorf("%s: %s", use, ByPathReason)
		}
	}
}

// byPathUses returns "position: os.Name" for each mention of a forbidden function, called or not.
func byPathUses(t *testing.T, name, source string) []string {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	local := ""
	for _, imp := range file.Imports {
		if imp.Path.Value == `"os"` {
			local = "os"
			if imp.Name != nil {
				local = imp.Name.Name
			}
		}
	}
	if local == "." {
		return []string{name + ": import . \"os\" hides which functions are used"}
	}
	var uses []string
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := sel.X.(*ast.Ident); ok && local != "" && pkg.Name == local && slices.Contains(ByPath(), sel.Sel.Name) {
			uses = append(uses, fset.Position(sel.Pos()).String()+": os."+sel.Sel.Name)
		}
		return true
	})
	return uses
}

// TestChecksSeeViolations checks the checks themselves with cases that must fail.
func TestChecksSeeViolations(t *testing.T) {
	g := ParseGraph("" +
		Module + "/syncproto errors fmt\n" +
		"fmt os errors\nos syscall\nerrors\nsyscall\n")
	rule := Rule{From: []string{"./syncproto"}, Not: []string{"os/...", "syscall"}, Reason: "of the test"}
	got := strings.Join(g.Violations(rule), "\n")
	for _, want := range []string{"syncproto -> fmt -> os\n", "syncproto -> fmt -> os -> syscall", "because of the test"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if v := g.Violations(Rule{From: []string{"./gone"}, Not: []string{"os"}}); len(v) != 1 ||
		!strings.Contains(v[0], "matches no package") {
		t.Errorf("a rule about nothing gave %q", v)
	}
	uses := byPathUses(t, "x.go", "package x\nimport o \"os\"\nvar f = o.OpenFile\nfunc g() { o.MkdirAll(``, 0); "+
		"o.Getpid() }\n")
	if want := []string{"x.go:3:9: os.OpenFile", "x.go:4:12: os.MkdirAll"}; !slices.Equal(uses, want) {
		t.Errorf("uses are %q, want %q", uses, want)
	}
}
