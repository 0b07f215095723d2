package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestParseTAP(t *testing.T) {
	for name, c := range map[string]struct {
		output string
		want   []assertion // details aside
	}{
		"nothing": {"", nil},
		"all kinds": {"TAP version 13\nok 1 - a thing\n" +
			"  ---\n  {}\n  ...\nnot ok 2 - another # or so\nok 3 # SKIP no\n# said\n1..3\n",
			[]assertion{{text: "a thing", ok: true}, {text: "another"}, {ok: true, skipped: true}}},
		"two documents": {"TAP version 13\nok 1 - a\n1..1\nTAP version 13\n1..0\n", []assertion{{text: "a", ok: true}}},
		"no plan":       {"TAP version 13\nok 1 - a\n", []assertion{{text: "a", ok: true}, {text: "the plan is missing"}}},
		"too few": {"TAP version 13\n1..2\nok 1 - a\n",
			[]assertion{{text: "a", ok: true}, {text: "the plan is not fulfilled"}}},
		"bail out":  {"TAP version 13\n1..1\nBail out! no idea\n", []assertion{{text: "bail out: no idea"}}},
		"no header": {"ok 1 - a\n1..1\n", []assertion{{text: "a", ok: true}}},
		"not TAP":   {"panic: x\n", []assertion{{text: "the plan is missing"}}},
	} {
		got := parseTAP(c.output)
		for i := range got {
			got[i].details = ""
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %+v\nwant %+v", name, got, c.want)
		}
	}
}

const table = `
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
	got, err := parseRows(table)
	want := []row{{"start", "a b c", 1, bySuite}, {"start", "ended: exit status 1", 1, byHost},
		{"kill", "late", 2, byChance}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for text, words := range map[string]string{
		"":                                       "no heading",
		heading + "\n":                           "no rows",
		heading + "\n| a | b | 1 | ours | c |":   `fault "ours"`,
		heading + "\n| a | b | 1 | suite |  |":   "no proof",
		heading + "\n| a | b | no | suite | c |": `"no" times`,
	} {
		if _, err := parseRows(text); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v; want %q", text, err, words)
		}
	}
}

func TestJudge(t *testing.T) {
	rows, err := parseRows(table)
	if err != nil {
		t.Fatal(err)
	}
	v := judge([]result{
		{program: "start", assertions: []assertion{{text: "a b `c`"}, {text: "ended: exit status 1"},
			{text: "fine", ok: true}}},
		{program: "kill", assertions: []assertion{{text: "late"}, {text: "late"}, {text: "late"}, {ok: true, skipped: true}}},
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
