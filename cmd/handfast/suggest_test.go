package main

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"start", "state", "spec", "delete", "kill"}
	for typed, want := range map[string]string{
		"strat": "start", "stat": "start", "delet": "delete", "deleet": "delete", "kil": "kill", "klil": "kill",
		"specs": "spec", "xyz": "", "": "", "k": "", "completelydifferent": "",
	} {
		if got := nearest(typed, names); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"kitten", "sitting", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
