package oneline

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestOf(t *testing.T) {
	for s, want := range map[string]string{
		"":                      "",
		"open /a b: größer, 漢字": "open /a b: größer, 漢字",
		"a\nb":                  "a; b",
		"\x1b[31mred\x00\r":     `\x1b[31mred\x00\r`,
		"\u009b31m":             `\u009b31m`, // the same in C1
		"\x9b31m\xff":           "\ufffd31m\ufffd",
		"a\u202eb\u2028c\ufeff": `a\u202eb\u2028c\ufeff`, // text that runs backwards, a line break, nothing
	} {
		if got := Of(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := Of(string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text"))
		if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsGraphic(r) }) {
			t.Fatalf("%q", s)
		}
	})
}
