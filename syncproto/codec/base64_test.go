package codec

import (
	"encoding/base64"
	"testing"

	"pgregory.net/rapid"
)

// The oracle is encoding/base64; re-encoding the result excludes forms that are not canonical.
func TestBase64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := string(rapid.SliceOf(rapid.Byte()).Draw(t, "raw"))
		text := string(appendBase64(nil, raw))
		if want := base64.StdEncoding.EncodeToString([]byte(raw)); text != want {
			t.Fatalf("appendBase64(%q) = %q, want %q", raw, text, want)
		}
		if back, ok := decodeBase64(text); !ok || string(back) != raw {
			t.Fatalf("decodeBase64(%q) = %q, %v, want %q", text, back, ok, raw)
		}
	})
}

func FuzzBase64(f *testing.F) {
	for _, s := range []string{"", "AA==", "AAA=", "AAAA", "AB==", "AAB=", "=AAA", "A===", "====", "AA=A", "AA==AAAA",
		"AA\n==", "AA-_", "AAA", "AAAA\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := decodeBase64(s)
		want, err := base64.StdEncoding.DecodeString(s)
		canonical := err == nil && base64.StdEncoding.EncodeToString(want) == s
		if ok != canonical || string(got) != string(want) && ok {
			t.Fatalf("decodeBase64(%q) = %q, %v; encoding/base64: %q, %v", s, got, ok, want, err)
		}
	})
}
