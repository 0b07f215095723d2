package match

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// pieces are the parts of the expressions of the property test.
var pieces = []string{
	"a", "b", "c", "-", "1", "0", ".", "^", "$", "(", ")", "|", "*", "+", "?", "[ab]", "[^a]", "[0-9]", "[a-]",
	`\d`, `\w`, `\D`, `\.`,
	`[\d_]`, `[]a]`, "(?:", "ä",
}

// TestLikeRegexp: if both packages accept an expression, they agree on every name.
func TestLikeRegexp(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 8).Draw(t, "expression"), "")
		ours, err := Compile(text)
		theirs, theirErr := regexp.Compile(text)
		if err == nil && theirErr != nil && !strings.Contains(theirErr.Error(), "invalid nested repetition operator") {
			t.Fatalf("%q: taken, and regexp says %v", text, theirErr)
		}
		flags := strings.Contains(strings.ReplaceAll(text, "(?:", ""), "(?") // not supported here
		if err != nil && theirErr == nil && !flags {
			t.Fatalf("%q: %v, and regexp takes it", text, err)
		}
		if err != nil || theirErr != nil {
			return
		}
		compared++
		name := rapid.StringOfN(rapid.RuneFrom([]rune("abc-10._ä\n")), 0, 8, -1).Draw(t, "name")
		if got, want := ours.Matches(name), theirs.MatchString(name); got != want {
			t.Fatalf("%q on %q: %t, want %t", text, name, got, want)
		}
	})
	if compared == 0 {
		t.Error("none was compared")
	}
}

func TestCompileErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a)":                      "byte 2: unexpected )",
		"x(a":                     "byte 2: missing closing ) of (",
		"x[a":                     "byte 2: missing closing ] of [",
		"*a":                      "byte 1: nothing before *",
		"a|+":                     "byte 3: nothing before +",
		`a\`:                      `byte 2: nothing behind \`,
		`\b`:                      `byte 1: \b is not known; want \d, \w, \s or a sign`,
		"a{2}":                    `byte 2: a count in braces is not known here; write \{ for the character`,
		"[[:alpha:]]":             "byte 2: classes such as [:alpha:] are not supported",
		"[z-a]":                   "byte 5: a range that ends before it begins",
		"a\xff":                   "the text is not UTF-8",
		strings.Repeat("(", 200):  "byte 101: parentheses nested more than 100 deep",
		strings.Repeat("a", 5000): "5000 bytes; want at most 4096",
	} {
		if _, err := Compile(text); err == nil || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", text, err, want)
		}
	}
}

// TestNoBlowUp uses an expression for which backtracking matchers need exponential time.
func TestNoBlowUp(t *testing.T) {
	e, err := Compile(strings.Repeat("(a*)*", 50) + strings.Repeat("a?", 500) + "b")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool, 1)
	go func() { done <- e.Matches(strings.Repeat("a", 1024)) }()
	select {
	case matches := <-done:
		if matches {
			t.Error("there is no b")
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("^a(b|c)*[^x-z]$", "abcb1")
	f.Add(`\d+|\w?`, "12")
	f.Fuzz(func(t *testing.T, text, name string) {
		e, err := Compile(text)
		if err != nil {
			return
		}
		e.Matches(name)
	})
}
