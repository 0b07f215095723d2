package flags_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/tools/flags"
)

func TestChoose(t *testing.T) {
	all := []string{"one", "two", "three"}
	for list, want := range map[string]string{"": "one two three", "two": "two", "three,one": "three one"} {
		got, err := flags.Choose("-only", list, all, strings.Clone)
		if err != nil || !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q: %q, %v", list, got, err)
		}
	}
	for list, want := range map[string]string{
		"one,four": `-only: there is no "four": want some of one, two, three, with commas between them`,
		"one,":     `-only: there is no ""`, "one, two": `-only: there is no " two"`, "On": `-only: there is no "On"`,
	} {
		if got, err := flags.Choose("-only", list, all, strings.Clone); err == nil || got != nil ||
			!strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %q, %v, want %s", list, got, err, want)
		}
	}
}
