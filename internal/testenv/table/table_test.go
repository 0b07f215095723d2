package table

import (
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const text = "# A\n\n| x |\n| --- |\n| of another |\n\n## B\n\nwords | with a bar\n\n| a | b |\n| --- | :-: |\n" +
		"| `one` | two words |\n| three |  |\n\n## C\n| y |\n| - |\n| of another |\n"
	rows, err := Parse(text, "## B")
	want := [][]string{{"one", "two words"}, {"three", ""}}
	if err != nil || !slices.EqualFunc(rows, want, slices.Equal[[]string]) {
		t.Errorf("%q, %v", rows, err)
	}
	for text, words := range map[string]string{
		"":                                  `no heading "## B"`,
		"## B\n| a | b |\n| - | - |\n|c|\n": "1 cells in a row, and 2 columns",
		"## B\n| a |\n| - |\n| c | d |\n":   "2 cells in a row, and 1 columns",
		"## B\n| a |\n| b |\n":              "no line of dashes",
	} {
		if _, err := Parse(text, "## B"); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v; want %q", text, err, words)
		}
	}
	if rows, err := Parse("## B\nnothing\n", "## B"); rows != nil || err != nil {
		t.Errorf("%q, %v", rows, err)
	}
}
