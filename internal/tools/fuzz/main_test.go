package main

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	list := "FuzzA\nFuzzB\nok  \texample.org/one\t0.003s\n" +
		"?   \texample.org/two\t[no test files]\n" +
		"ok  \texample.org/three\t0.002s\n" +
		"FuzzC\nok  \texample.org/four\t0.001s\n"
	want := []target{{"example.org/one", "FuzzA"}, {"example.org/one", "FuzzB"}, {"example.org/four", "FuzzC"}}
	if got := parse(list); !slices.Equal(got, want) {
		t.Errorf("parse gave %v, want %v", got, want)
	}
}

func TestRanOut(t *testing.T) {
	const progress = "fuzz: elapsed: 4s, execs: 13586 (0/sec), new interesting: 22 (total: 130)\n"
	for said, want := range map[string]bool{
		progress + "--- FAIL: FuzzA (4.02s)\n    context deadline exceeded\nFAIL\nexit status " +
			"1\nFAIL\texample.org/one\t4.055s\n": true,
		progress + "--- FAIL: FuzzA (0.10s)\n    --- FAIL: FuzzA (0.00s)\n" +
			"        a_test.go:9: context deadline exceeded\n " +
			"   \n    Failing input written to testdata/fuzz/FuzzA/1\nFAIL\n": false,
		"--- FAIL: FuzzA (0.00s)\n    --- FAIL: FuzzA/seed#0 (0.00s)\n" +
			"        a_test.go:9: context deadline exceeded\nFAIL\n": false,
		"--- FAIL: FuzzA (4.02s)\n    context deadline exceeded\n" +
			"    Failing input written to testdata/fuzz/FuzzA/1\nFAIL\n": false,
		"panic: something\nFAIL\texample.org/one\n": false,
		"": false,
	} {
		if got := ranOut(said); got != want {
			t.Errorf("%q: %t", said, got)
		}
	}
}
