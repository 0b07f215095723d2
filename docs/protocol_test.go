// Package docs holds documents. Its tests keep them true to the code.
package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/vectors"
)

var block = regexp.MustCompile(`(?s)<!-- generated:([a-z]+) -->\n.*?<!-- end -->`)

// node matches a Go constant whose value is a word on the wire.
var node = regexp.MustCompile(`\bNode[A-Z][a-z]+\b`)

func TestProtocolIsWhatTheCodeDoes(t *testing.T) {
	made := blocks(t)
	have, err := os.ReadFile("protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	want := block.ReplaceAllStringFunc(string(have), func(old string) string {
		name := block.FindStringSubmatch(old)[1]
		text, ok := made[name]
		if !ok {
			t.Errorf("protocol.md wants a block %q, which nothing generates", name)
			return old
		}
		used[name] = true
		return "<!-- generated:" + name + " -->\n" + text + "<!-- end -->"
	})
	for name := range made {
		if !used[name] {
			t.Errorf("protocol.md has no block %q", name)
		}
	}
	if want == string(have) {
		return
	}
	if golden.Updating() {
		if err := os.WriteFile("protocol.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("generated blocks are out of date, run go test ./docs -update:\n%s", cmp.Diff(string(have), want))
}

// Each sentence has a line of its own, so that a change of one sentence changes one line.
func TestProtocolHasOneSentenceALine(t *testing.T) {
	b, err := os.ReadFile("protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	fence, listed := false, false
	for i, line := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(line, "```") {
			fence = !fence
		}
		listed = strings.HasPrefix(line, "|") || strings.HasPrefix(line, "- ")
		if !fence && !listed && regexp.MustCompile(`[a-z)]\. [A-Z]`).MatchString(line) && !strings.HasPrefix(line, "#") {
			t.Errorf("line %d holds two sentences: %s", i+1, line)
		}
	}
}

func blocks(t *testing.T) map[string]string {
	src := parse(t, "../syncproto")
	body := parse(t, "../syncproto/container")
	messages := exchanges(body)
	profiles := ""
	for _, p := range []*syncproto.Profile{container.InitProfile(), container.SetnsProfile(), container.StartProfile()} {
		profiles += profileText(t, p, messages)
	}
	return map[string]string{
		"kinds":      kindsTable(src),
		"hello":      structTable(src, "Hello"),
		"helloack":   structTable(src, "HelloAck"),
		"configok":   structTable(src, "ConfigOK"),
		"call":       structTable(src, "Call"),
		"note":       structTable(src, "Note"),
		"cancel":     structTable(src, "Cancel"),
		"report":     structTable(src, "Report"),
		"reportnode": structTable(src, "ReportNode"),
		"nodetypes":  constTable(src, "string", func(name string) bool { return strings.HasPrefix(name, "Node") }),
		"codes":      constTable(src, "Code", func(string) bool { return true }),
		"rules":      rulesTable(),
		"profiles":   profiles,
		"config":     structTree(body, "Config"),
		"args":       bodyTables(body, messages),
		"limits":     limitsTable(t, src),
		"checks":     checksList(),
		"deadlines":  deadlinesTable(t, parse(t, "../syncproto/transport")),
		"transcript": transcript(t),
	}
}

func parse(t *testing.T, dir string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

func comment(gs ...*ast.CommentGroup) string {
	for _, g := range gs {
		if g != nil {
			text := strings.ReplaceAll(strings.Join(strings.Fields(g.Text()), " "), "|", "\\|")
			return node.ReplaceAllStringFunc(text, func(s string) string { return "`" + strings.ToLower(s[len("Node"):]) + "`" })
		}
	}
	return ""
}

// constants are the constants of a type (or of any string) in their order, with their comments.
func constants(files []*ast.File, typ string, want func(string) bool, each func(name, value, doc string)) {
	for _, f := range files {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				id, typed := v.Type.(*ast.Ident)
				lit, literal := ast.Expr(nil), false
				if len(v.Values) == 1 {
					lit = v.Values[0]
					_, literal = lit.(*ast.BasicLit)
				}
				if literal && want(v.Names[0].Name) && (typed && id.Name == typ || !typed && typ == "string") {
					each(v.Names[0].Name, strings.Trim(lit.(*ast.BasicLit).Value, `"`), comment(v.Comment))
				}
			}
		}
	}
}

func kindsTable(files []*ast.File) string {
	s := "| Number | Kind | Sender and purpose |\n|---|---|---|\n"
	constants(files, "Kind", func(string) bool { return true }, func(_, value, doc string) {
		var k syncproto.Kind
		_, _ = fmt.Sscan(value, &k)
		s += fmt.Sprintf("| %s | %v | %s |\n", value, k, doc)
	})
	return s
}

func constTable(files []*ast.File, typ string, want func(string) bool) string {
	s := "| Value | Meaning |\n|---|---|\n"
	constants(files, typ, want, func(_, value, doc string) { s += "| `" + value + "` | " + doc + " |\n" })
	return s
}

func rulesTable() string {
	s := "| State | Sender | Frame | Next state | Remark |\n|---|---|---|---|---|\n"
	for _, r := range syncproto.Rules() {
		s += fmt.Sprintf("| %v | %v | %v | %v | %s |\n", r.From, r.Sender, r.Kind, r.To, r.Doc)
	}
	return s
}

func profileText(t *testing.T, p *syncproto.Profile, messages []exchange) string {
	s := fmt.Sprintf("#### Profile `%s`\n\n%s\nIts hash is `%016x`; its canonical text:\n\n```\n%s```\n\n", p.Name, p.Doc,
		p.Hash(), p.Canonical())
	rows := ""
	for _, ph := range p.Phases {
		for _, r := range ph.Rows {
			i := slices.IndexFunc(messages, func(x exchange) bool { return x.request == r.Request })
			if i < 0 {
				t.Fatalf("request %q of the profile %q is no syncproto.Exchange of package container", r.Request, p.Name)
			}
			rows += fmt.Sprintf("| %s | `%s` | %s | %v | `%s` | %s | %v | %d | %d | %s | %s |\n", ph.Name,
				r.Request, typeOrNull(messages[i].arg), r.RequestFDs, r.Reply, typeOrNull(messages[i].reply), r.ReplyFDs,
				r.Min, r.Max, r.Next, r.Doc)
		}
	}
	if rows != "" {
		s += "| Phase | Request | Argument | Descriptors | Reply | Its argument | Its descriptors | Min | Max | Next | " +
			"Meaning |\n" +
			"|---|---|---|---|---|---|---|---|---|---|---|\n" + rows + "\n"
	}
	return s
}

func limitsTable(t *testing.T, files []*ast.File) string {
	s := "| Field | Type | Default | Least | Bounds |\n|---|---|---|---|---|\n"
	def := reflect.ValueOf(syncproto.DefaultLimits())
	for _, f := range fields(files, "Limits") {
		about, _, _ := strings.Cut(f.doc, "; default")
		most := def.FieldByName(f.goName).Uint()
		s += fmt.Sprintf("| `%s` | %s | %d | %d | %s |\n", f.name, f.typ, most, lowestLimit(t, f.goName, most), about)
	}
	return s
}

// lowestLimit returns the lowest value of a limit that Validate accepts.
func lowestLimit(t *testing.T, field string, most uint64) uint64 {
	ok := func(n uint64) bool {
		var l syncproto.Limits
		reflect.ValueOf(&l).Elem().FieldByName(field).SetUint(n)
		return l.Validate() == nil
	}
	n := uint64(sort.Search(int(most), func(i int) bool { return i > 0 && ok(uint64(i)) }))
	if !ok(n) || n > 1 && ok(n-1) {
		t.Errorf("the least of the limit %s is not %d", field, n)
	}
	return n
}

// checksList is the order of the checks: a numbered list of those of every frame, and a table of those of each kind.
func checksList() string {
	every, kinds := "", ""
	for i, c := range vectors.Checks() {
		if c.Kind == "" {
			every += fmt.Sprintf("%d. `%s`: %s\n", i+1, c.Code, c.Text)
		} else {
			kinds += fmt.Sprintf("| %d | %s | `%s` | %s |\n", i+1, c.Kind, c.Code, c.Text)
		}
	}
	return every + "\n| No. | Kind | Code | What must hold |\n|---|---|---|---|\n" + kinds
}

func deadlinesTable(t *testing.T, files []*ast.File) string {
	s := "| Deadline | Parent | Child | Bounds |\n|---|---|---|---|\n"
	text := func(r syncproto.Role, name string) string {
		d := time.Duration(reflect.ValueOf(transport.DefaultDeadlines(r)).FieldByName(name).Int())
		if d < 0 {
			return "none"
		}
		return fmt.Sprintf("%g s", d.Seconds())
	}
	all := fields(files, "Deadlines")
	if len(all) == 0 {
		t.Error("no deadlines found")
	}
	for _, f := range all {
		about, _, _ := strings.Cut(f.doc, "; ")
		s += fmt.Sprintf("| %s | %s | %s | %s |\n", strings.ToLower(f.goName), text(syncproto.Parent, f.goName),
			text(syncproto.Child, f.goName), about)
	}
	return s
}
