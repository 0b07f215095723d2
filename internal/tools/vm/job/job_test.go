package job

import "testing"

func TestLinesComeBack(t *testing.T) {
	for line, want := range map[string]Event{
		Begin("test/security"):    {Kind: "begin", Name: "test/security"},
		End("test", 0):            {Kind: "end", Name: "test"},
		End("name with gaps", 77): {Kind: "end", Name: "name with gaps", Status: 77},
		Done():                    {Kind: "done"},
	} {
		if got, ok := Parse(line); !ok || got != want {
			t.Errorf("%q is %+v, %t", line, got, ok)
		}
	}
	for _, line := range []string{"", "done", mark, mark + "begin", mark + "begin ", mark + "end", mark + "end x y",
		mark + "end 1", mark + "done now", mark + "other", " " + Done()} {
		if got, ok := Parse(line); ok {
			t.Errorf("%q is taken for %+v", line, got)
		}
	}
}
