package syncproto_test

import (
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
)

func TestDigest(t *testing.T) {
	for text, want := range map[string]string{ // by test/children/testdata/child.py
		"":              "0000000000000000",
		"a":             "cf922ca84cfbe86d",
		"abc":           "489bf24ee6120bda",
		"12345678":      "bc8f38f122e9fbc9",
		"123456789":     "c0d5219c8cd39c52",
		"123456789\x00": "41278fbd17d6b15c",
		"the quick brown fox jumps over the lazy dog": "0b599bd23320f58e",
	} {
		if got := syncproto.Digest([]byte(text)); got != want {
			t.Errorf("Digest(%q) = %s, want %s", text, got, want)
		}
	}
}

// A changed byte, two swapped bytes, or a byte more or less change the digest, at every length.
func TestDigestsDiffer(t *testing.T) {
	seen, made := map[string]bool{}, 0
	add := func(b []byte) { seen[syncproto.Digest(b)] = true; made++ }
	for n := range 130 {
		add([]byte(strings.Repeat("x", n)))
		add([]byte(strings.Repeat("x", n) + "\x00"))
		b := []byte(strings.Repeat("x", n))
		for i := range n {
			for _, bit := range []byte{1, 0x80} {
				b[i] ^= bit
				add(b)
				if i > 8 {
					b[i-8] ^= bit
					add(b)
					b[i-8] ^= bit
				}
				b[i] ^= bit
			}
		}
	}
	if len(seen) != made {
		t.Errorf("%d digests of %d texts", len(seen), made)
	}
}
