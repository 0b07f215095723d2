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
