package tap

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		output string
		want   []Assertion // details aside
	}{
		"nothing": {"", nil},
		"all kinds": {"TAP version 13\nok 1 - a thing\n" +
			"  ---\n  {}\n  ...\nnot ok 2 - another # or so\nok 3 # SKIP no\n# said\n1..3\n",
			[]Assertion{{Text: "a thing", OK: true}, {Text: "another"}, {OK: true, Skipped: true}}},
		"two documents": {"TAP version 13\nok 1 - a\n1..1\nTAP version 13\n1..0\n", []Assertion{{Text: "a", OK: true}}},
		"no plan":       {"TAP version 13\nok 1 - a\n", []Assertion{{Text: "a", OK: true}, {Text: "the plan is missing"}}},
		"too few": {"TAP version 13\n1..2\nok 1 - a\n",
			[]Assertion{{Text: "a", OK: true}, {Text: "the plan is not fulfilled"}}},
		"bail out":  {"TAP version 13\n1..1\nBail out! no idea\n", []Assertion{{Text: "bail out: no idea"}}},
		"no header": {"ok 1 - a\n1..1\n", []Assertion{{Text: "a", OK: true}}},
		"of bats": {"1..2\nok 1 runc ps # skip test requires root\nnot ok 2 runc run [host pidns]\n# (in file a)\n",
			[]Assertion{{Text: "runc ps", OK: true, Skipped: true}, {Text: "runc run [host pidns]"}}},
		"not TAP": {"panic: x\n", []Assertion{{Text: "the plan is missing"}}},
	} {
		got := Parse(c.output)
		for i := range got {
			got[i].Details = ""
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %+v\nwant %+v", name, got, c.want)
		}
	}
}
