package main

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestAccountOfVersion: a handfast built with the tag leaves its marks, in the order of time; any other program is an
// error.
func TestAccountOfVersion(t *testing.T) {
	program := filepath.Join(testenv.Dir(t), "handfast")
	t.Chdir("..")
	if err := goBuild(program, "./cmd/handfast", "handfast_account"); err != nil {
		t.Fatal(err)
	}
	one, err := accountOne(step{"version", []string{program, "--version"}}, filepath.Join(testenv.Dir(t), "marks"))
	if err != nil {
		t.Fatal(err)
	}
	times := []int64{one.Begin}
	for _, m := range one.Marks {
		times = append(times, m.NS)
	}
	if times = append(times, one.End); !slices.IsSorted(times) || len(one.Marks) != 2 || one.Marks[1].Faults == 0 {
		t.Errorf("%+v", one)
	}
	if _, err := accountOne(step{"true", []string{"/bin/true"}}, filepath.Join(testenv.Dir(t), "none")); err == nil {
		t.Error("a program without marks was taken for one with them")
	}
}
