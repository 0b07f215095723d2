package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

// TestExercises: every manager has at least 60 lines with names of their own, and what a line says is not lost among
// what is not compared.
func TestExercises(t *testing.T) {
	if len(managers()) < 5 {
		t.Errorf("%d managers", len(managers()))
	}
	for i, m := range managers() {
		names := map[string]bool{}
		for _, l := range m.lines {
			if l.name == "" || l.command == "" || names[l.name] {
				t.Errorf("%s: line %q has no name of its own, or no command", m.name, l.name)
			}
			names[l.name] = true
		}
		before := m.lines[0].command
		if after := managers()[i].lines[0].command; after != before {
			t.Errorf("%s: a second call of managers returns another command: %s", m.name, after)
		}
		if len(m.lines) < 60 {
			t.Errorf("%s has %d lines, want 60", m.name, len(m.lines))
		}
	}
}

func TestChosen(t *testing.T) {
	m := manager{lines: []line{{name: "one"}, {name: "two", always: true}, {name: "three"}}}
	for word, want := range map[string]string{"": "one two three", "one": "one two", "ee": "two three", "x": "two"} {
		var names []string
		for _, l := range m.chosen(word) {
			names = append(names, l.name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

func TestWanted(t *testing.T) {
	for run, want := range map[string]string{"": "a-1 b", "a": "a-1", "a-2": "a-2", "x": ""} {
		var names []string
		for _, m := range []manager{{name: "a-1"}, {name: "b"}, {name: "a-2", byName: true}} {
			if m.wanted(run) {
				names = append(names, m.name)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q: %s, want %s", run, got, want)
		}
	}
}

func TestAdapt(t *testing.T) {
	r := runtimeOf(controlName, "/usr/sbin/runc")
	if got, want := r.adapt(`handfast = ["/usr/local/bin/handfast"]`),
		`runc-control = ["/usr/local/bin/runc-control"]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := runtimeOf(handfastName, "x").adapt(containersConf); got != containersConf {
		t.Errorf("handfast's own configuration is changed:\n%s", got)
	}
}

func TestNormalize(t *testing.T) {
	id := strings.Repeat("0a", 32)
	for text, want := range map[string][]string{
		"":                                  nil,
		"a\r\nb  \n":                        {"a", "b"},
		"of " + id + " " + id[:12]:          {"of <id> <id>"},
		"/usr/local/bin/handfast: none":     {"<runtime>: none"},
		"/usr/local/bin/runc-control: none": {"<runtime>: none"},
		"runc create failed":                {"runc create failed"},
		"time=\"2026-01-02T03:04:05.678Z\"": {"time=\"<time>\""},
		"2026-01-02 03:04:05.6 +0000 UTC":   {"<time>"},
		"Up 2 seconds":                      {"Up <ago>"},
		"Exited (0) Less than a second ago": {"Exited (0) <ago>"},
		"deadbeef is no id, nor 12345678":   {"deadbeef is no id, nor 12345678"},
	} {
		if diff := cmp.Diff(want, normalize(text, nil)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	if got := normalize("1.5MiB  / 3GB", []normalizer{numbers, units, spacing}); !slices.Equal(got, []string{"NB / NB"}) {
		t.Errorf("%q", got)
	}
}

func TestDiff(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"a b c", "a b c", ""},
		{"a b c", "a x c", "- b,+ x"},
		{"a b", "a b c", "+ c"},
		{"a b c", "c", "- a,- b"},
		{"", "a", "- ,+ a"},
	} {
		var got []string
		for _, d := range diff(strings.Split(c.a, " "), strings.Split(c.b, " ")) {
			got = append(got, d.String())
		}
		if strings.Join(got, ",") != c.want {
			t.Errorf("%q to %q: %q, want %q", c.a, c.b, got, c.want)
		}
	}
}

// judged is a manager with a line of each kind.
var judged = manager{name: "m", lines: []line{{name: "a", says: "ok"}, {name: "b", status: 1},
	{name: "c", status: anyStatus}}}

func rows(t *testing.T, all ...difference) []difference {
	t.Helper()
	for i := range all {
		if err := all[i].patterns(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestJudge(t *testing.T) {
	explanation := difference{Manager: "m", Lines: []string{"a"}, Control: "old .*", Handfast: "new .*", Why: "so"}
	onHosts := explanation
	onHosts.Host = true
	good := []output{{Name: "a", Text: "ok\n"}, {Name: "b", Status: 1}, {Name: "c", Status: 9}}
	change := func(at int, edit func(o *output)) []output {
		changed := slices.Clone(good)
		edit(&changed[at])
		return changed
	}
	says := func(text string) []output { return change(0, func(o *output) { o.Text = text }) }
	ended := func(at, status int) []output { return change(at, func(o *output) { o.Status = status }) }
	for name, c := range map[string]struct {
		control, candidate []output
		rows               []difference
		faults, stale      []string // words of each
		explained          int
	}{
		"equal":           {control: good, candidate: good},
		"another output":  {good, says("no\n"), nil, []string{"a: differs"}, nil, 0},
		"another status":  {good, ended(2, 8), nil, []string{"c: differs"}, nil, 0},
		"a wrong status":  {ended(1, 0), ended(1, 0), nil, []string{"b: with the control"}, nil, 0},
		"a missing word":  {says(""), says(""), nil, []string{"a: with the control"}, nil, 0},
		"too long":        {good, change(0, func(o *output) { o.Late = true }), nil, []string{"a: took too long"}, nil, 0},
		"lines are lost":  {good, good[1:], nil, []string{"all: "}, nil, 0},
		"a line unknown":  {change(0, func(o *output) { o.Name = "x" }), good, nil, []string{"x: no such line"}, nil, 0},
		"nothing differs": {good, good, rows(t, explanation), nil, []string{"old", "new"}, 0},
		"on other hosts":  {good, good, rows(t, onHosts), nil, nil, 0},
		"explained": {says("ok\nold 1\n"), says("ok\nnew 1\n"),
			rows(t, explanation), nil, nil, 1},
		"half explained": {says("ok\nold 1\n"), says("ok\nnews\n"),
			rows(t, explanation), []string{"a: differs"}, []string{"new"}, 0},
		"explained for another line": {good, change(2, func(o *output) { o.Text = "new 1\n" }), rows(t, explanation),
			[]string{"c: differs"}, []string{"old", "new"}, 0},
	} {
		v := judge(judged, record{Lines: c.control}, record{Lines: c.candidate}, c.rows)
		beginAs(t, name+", faults", v.faults, c.faults)
		stale := v.stale(c.rows)
		for i := range stale {
			stale[i] = strings.TrimPrefix(stale[i], "m, a: ")
		}
		beginAs(t, name+", stale", stale, c.stale)
		if v.explained != c.explained {
			t.Errorf("%s: %d explained, want %d", name, v.explained, c.explained)
		}
		total := &verdict{used: map[use]bool{}}
		total.add(v)
		if err := total.end(io.Discard, c.rows); (err != nil) != (len(c.faults)+len(c.stale) > 0) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (&verdict{}).end(io.Discard, nil); err == nil {
		t.Error("an exercise of nothing is no error")
	}
}

func beginAs(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestShorten(t *testing.T) {
	got := shorten(strings.Repeat("x\n", 20))
	if strings.Count(got, "\n") != 12 || !strings.Contains(got, "9 more lines") {
		t.Errorf("%q", got)
	}
}

func TestParseDifferences(t *testing.T) {
	if rows, err := parseDifferences(differencesFile); err != nil || len(rows) == 0 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	for text, words := range map[string]string{
		"{":         "differences.json",
		`[{"x":1}]`: `unknown field "x"`,
		`[{"manager":"none","lines":["run"],"runc":"a","why":"b"}]`:          "no such manager",
		`[{"manager":"podman","lines":["none"],"runc":"a","why":"b"}]`:       `podman has no line "none"`,
		`[{"manager":"podman","lines":["run"],"runc":"","why":"b"}]`:         "want lines, a pattern, and why",
		`[{"manager":"podman","lines":["run"],"handfast":"(","why":"b"}]`:    "missing closing )",
		`[{"manager":"podman","lines":["run"],"runc":"a","why":""}]`:         "want lines, a pattern, and why",
		`[{"manager":"podman","lines":[],"runc":"a","why":"b","host":true}]`: "want lines, a pattern, and why",
	} {
		if _, err := parseDifferences([]byte(text)); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want %q", text, err, words)
		}
	}
}

// TestImage: each blob has the digest that names it, and each file that the archive's manifests name is there.
func TestImage(t *testing.T) {
	layer, err := archive(rootfs([]byte("program"), []string{"sh", "busybox"}))
	if err != nil {
		t.Fatal(err)
	}
	data, err := image(imageName, []string{"/bin/sh"}, layer)
	if err != nil {
		t.Fatal(err)
	}
	files, named := map[string]bool{}, ""
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = true
		if strings.HasPrefix(h.Name, "blobs/") && h.Name != blob(content) {
			t.Errorf("%s holds %s", h.Name, blob(content))
		}
		if strings.HasSuffix(h.Name, ".json") {
			named += string(content)
		}
	}
	count := 0
	for name := range files {
		if digest, ok := strings.CutPrefix(name, "blobs/sha256/"); ok && strings.Contains(named, digest) {
			count++
		}
	}
	if count != 3 || !files["oci-layout"] || !files["index.json"] || !files["manifest.json"] {
		t.Errorf("%d blobs are named, %v", count, files)
	}
}

const document = "../../docs/integrations.md"

// TestDocument: docs/integrations.md has the table of differences, the number of lines of each manager, and
// every configuration that is tested.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	all, err := parseDifferences(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	want, err := between(string(text), "<!-- differences -->\n", "<!-- end -->", table(all))
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	if golden.Updating() {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("%s (-want +got), -update rewrites it:\n%s", document, diff)
	}
	for _, m := range onSystemd() {
		row := regexp.MustCompile(fmt.Sprintf("(?m)^\\| `%s`: .* \\| %d \\| ", m.name, len(m.lines)))
		if !row.MatchString(want) {
			t.Errorf("%s does not say that %s has %d lines", document, m.name, len(m.lines))
		}
	}
	for _, m := range managers() {
		row := regexp.MustCompile(fmt.Sprintf("(?im)^\\| (\\[%[1]s\\b|`%[1]s`).* \\| %[2]d \\| ", m.name, len(m.lines)))
		if !row.MatchString(want) {
			t.Errorf("%s does not say that %s has %d lines", document, m.name, len(m.lines))
		}
		for path, config := range m.files {
			if !strings.Contains(want, "`"+path+"`") || !strings.Contains(want, "\n"+config+"```\n") {
				t.Errorf("%s does not show the configuration of %s at %s:\n%s", document, m.name, path, config)
			}
		}
	}
}
