package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv/table"
	"github.com/handfast/handfast/internal/testenv/tap"
)

const document = heading + `

| file | test | why | reason |
| --- | --- | --- | --- |
| ` + "`version` | `runc version`" + ` | runc | it expects the name |
| mounts | runc run [order] | differ | because |
| kill | late | chance | it races |

### Next

| kill | other | runc | of another table |
`

func TestParseRows(t *testing.T) {
	got, err := parsed(document)
	want := []row{{"version", "runc version", aboutRunc}, {"mounts", "runc run [order]", onPurpose},
		{"kill", "late", byChance}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for row, words := range map[string]string{
		"| a | b | ours | c |":  `"ours"; want`,
		"| a | b | runc |  |":   "no reason",
		"| a | b | runc | c |":  "",
		"| a | b c | 1 | d | e": "5 cells in a row",
	} {
		_, err := parsed(heading + "\n| file | test | why | reason |\n| - | - | - | - |\n" + row)
		if (err == nil) != (words == "") || err != nil && !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v; want %q", row, err, words)
		}
	}
	if _, err := parsed(heading + "\n| a | b |\n| - | - |\n| c | d |\n"); err == nil {
		t.Error("a table of two columns passes")
	}
}

func parsed(text string) ([]row, error) {
	cells, err := table.Parse(text, heading)
	if err != nil {
		return nil, err
	}
	return rowsOf(cells)
}

// TestRowsOfTheDocument: the table that a run is judged by can be read.
func TestRowsOfTheDocument(t *testing.T) {
	if rows, err := readRows("../../docs/runtime.md"); err != nil || len(rows) == 0 {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestJudge(t *testing.T) {
	rows, err := parsed(document)
	if err != nil {
		t.Fatal(err)
	}
	ok := func(names ...string) (all []tap.Assertion) {
		for _, n := range names {
			all = append(all, tap.Assertion{Text: n, OK: true})
		}
		return all
	}
	bad := func(name string) tap.Assertion { return tap.Assertion{Text: name, Details: "    # why\n"} }
	skip := func(name string) tap.Assertion { return tap.Assertion{Text: name, OK: true, Skipped: true} }
	for name, c := range map[string]struct {
		file               string
		control, candidate []tap.Assertion
		want               verdict // without rows and counts
		says               string
	}{
		"the same":         {file: "a", control: append(ok("x"), bad("y")), candidate: append(ok("x"), bad("y"))},
		"a difference":     {"a", ok("x"), []tap.Assertion{bad("x")}, verdict{surprises: 1}, "handfast: x\n    # why"},
		"skipped":          {"a", ok("x"), []tap.Assertion{skip("x")}, verdict{surprises: 1}, "not with handfast: x"},
		"not run":          {"a", ok("x", "y"), ok("x"), verdict{surprises: 1}, "did not run with handfast: y"},
		"explained":        {"version", ok("runc version"), []tap.Assertion{bad("runc version")}, verdict{explained: 1}, ""},
		"of another file":  {"a", ok("runc version"), []tap.Assertion{bad("runc version")}, verdict{surprises: 1}, "version"},
		"listed, passes":   {"mounts", ok("runc run [order]"), ok("runc run [order]"), verdict{stale: 1}, "and passes: runc"},
		"by chance":        {file: "kill", control: ok("late"), candidate: ok("late")},
		"better":           {"a", []tap.Assertion{bad("x"), skip("y")}, ok("x", "y"), verdict{better: 2}, ""},
		"neither of both":  {file: "a", control: []tap.Assertion{skip("x")}, candidate: []tap.Assertion{bad("x")}},
		"listed, no judge": {file: "mounts", control: []tap.Assertion{skip("runc run [order]")}, candidate: nil},
	} {
		v, out := verdict{rows: rows}, &bytes.Buffer{}
		v.add(out, c.file, c.control, c.candidate)
		if v.surprises != c.want.surprises || v.stale != c.want.stale || v.explained != c.want.explained ||
			v.better != c.want.better || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: %+v\n%s", name, v, out)
		}
		if err := v.end(out); (err != nil) != (v.surprises+v.stale > 0) {
			t.Errorf("%s: %v", name, err)
		}
	}

	v, out := verdict{}, &bytes.Buffer{}
	v.add(out, "a", append(ok("x", "y"), skip("z")), append(ok("x"), bad("y"), skip("z")))
	_ = v.end(out)
	want := "3 tests: runc   2 passed,  0 failed,  1 skipped; handfast   1 passed,  1 failed,  1 skipped\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("%s\nwant %s", out, want)
	}
}

// TestAgain: what differs is run again, by its name, and counts by its second result.
func TestAgain(t *testing.T) {
	mine := []tap.Assertion{{Text: "a [b] (c)"}, {Text: "a"}, {Text: "x", OK: true}, {Text: "y"}}
	other := []tap.Assertion{{Text: "a [b] (c)", OK: true}, {Text: "a", OK: true}, {Text: "x"},
		{Text: "y", OK: true, Skipped: true}}
	filter := differing(mine, other)
	if want := `^(a \[b\] \(c\)|a) *$`; filter != want || differing(mine, mine) != "" {
		t.Errorf("%q, want %q", filter, want)
	}
	got := replace(mine, []tap.Assertion{{Text: "a", OK: true}, {Text: "a [b] (c)", Details: "second"}})
	if want := (count{passed: 2, failed: 2}); counted(got) != want || got[0].Details != "second" {
		t.Errorf("%v", got)
	}
}

// TestProgress: the last result is known as such, whatever the writes are, and only once.
func TestProgress(t *testing.T) {
	for text, want := range map[string]bool{
		"1..2\nok 1 a\nnot ok 2 b\n": true, "1..2\nok 1 a\n# ok 2\n": false, "1..0\n": true, "ok 1 a\n": false,
		"1..1\nok 1 a": false, "1..1\nok 1 a # skip no\nok 2 b\n1..2\n": true,
	} {
		for size := 1; size <= len(text); size++ {
			var out bytes.Buffer
			p := newProgress(&out)
			for part := range slices.Chunk([]byte(text), size) {
				if _, err := p.Write(part); err != nil {
					t.Fatal(err)
				}
			}
			got := false
			select {
			case <-p.complete:
				got = true
			default:
			}
			if got != want || out.String() != text {
				t.Errorf("%q in parts of %d: complete %v; passed on %q", text, size, got, out.String())
			}
		}
	}
}

// TestBusybox: the tree has what the tests execute and read.
func TestBusybox(t *testing.T) {
	dir := t.TempDir()
	if err := busybox(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bin/sh", "bin/sleep", "usr/bin/env", "etc/passwd", "tmp"} {
		if _, err := os.Stat(dir + "/" + name); err != nil {
			t.Error(err)
		}
	}
}
