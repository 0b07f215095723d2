package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv/table"
	"github.com/handfast/handfast/internal/testenv/tap"
)

const document = `
### Assertions that do not hold

| program | assertion | times | fault | proof |
| --- | --- | --- | --- | --- |
| ` + "`start` | `a `b` c`" + ` | 1 | suite | it says so |
| start | ended: exit status 1 | 1 | host | it lacks it |
| kill | late | 2 | chance | it races |

### Next

| kill | other | 1 | suite | of another table |
`

func TestParseRows(t *testing.T) {
	got, err := parsed(document)
	want := []row{{"start", "a b c", 1, bySuite}, {"start", "ended: exit status 1", 1, byHost},
		{"kill", "late", 2, byChance}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for row, words := range map[string]string{
		"":                           "no rows",
		"| a | b | 1 | ours | c |":   `fault "ours"`,
		"| a | b | 1 | suite |  |":   "no proof",
		"| a | b | no | suite | c |": `"no" times`,
		"| a | b | 1 | suite |":      "4 cells in a row",
	} {
		_, err := parsed(heading + "\n| program | assertion | times | fault | proof |\n| - | - | - | - | - |\n" + row)
		if err == nil || !strings.Contains(err.Error(), words) {
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

func TestJudge(t *testing.T) {
	rows, err := parsed(document)
	if err != nil {
		t.Fatal(err)
	}
	v := judge([]result{
		{program: "start", assertions: []tap.Assertion{{Text: "a b `c`"}, {Text: "ended: exit status 1"},
			{Text: "fine", OK: true}}},
		{program: "kill", assertions: []tap.Assertion{{Text: "late"}, {Text: "late"}, {Text: "late"},
			{OK: true, Skipped: true}}},
	}, rows)
	if v.clean != 0 || v.held != 1 || v.bad != 5 || v.skipped != 1 || v.suite != 1 || v.host != 1 || v.chance != 2 {
		t.Errorf("%+v", v)
	}
	if len(v.surprises) != 1 || !strings.HasPrefix(v.surprises[0], "kill: not ok: late") || len(v.stale) != 0 {
		t.Errorf("surprises %q, stale %v", v.surprises, v.stale)
	}
	// A row that blames the suite holds now, which is an error; the others may hold.
	v = judge([]result{{program: "start"}, {program: "kill"}}, rows)
	if len(v.stale) != 1 || v.stale[0] != rows[0] || len(v.surprises) != 0 || v.clean != 2 {
		t.Errorf("surprises %q, stale %v", v.surprises, v.stale)
	}
	var out bytes.Buffer
	v.print(&out, options{})
	if !strings.Contains(out.String(), "listed, and holds: start: a b c\n"+
		"2 of 2 programs clean; 0 assertions hold, 0 do not, 0 skipped\n") {
		t.Errorf("%s", out.String())
	}
}
