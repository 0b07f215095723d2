package lifecycle

import (
	"strings"
	"testing"
)

func TestSelectRows(t *testing.T) {
	table := "UID  PID CMD\nroot   1 init\nroot  21 a 1 b\nroot   2 x\n\n"
	got, err := selectRows(table, []int{2, 21})
	if want := "UID  PID CMD\nroot  21 a 1 b\nroot   2 x\n"; err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	for _, bad := range []string{"", "UID CMD\nroot x\n", "UID PID\nroot\n", "UID PID\nroot x\n"} {
		if got, err := selectRows(bad, []int{1}); err == nil {
			t.Errorf("%q: %q", bad, got)
		}
	}
}

// FuzzSelectRows checks that the rows that are kept are rows of the table, after its header.
func FuzzSelectRows(f *testing.F) {
	f.Add("UID PID CMD\nroot 1 init\nroot 21 a\n")
	f.Add("PID\n1\n\n")
	f.Fuzz(func(t *testing.T, table string) {
		got, err := selectRows(table, []int{1, 21})
		if err != nil {
			return
		}
		all := "\n" + table + "\n"
		for row := range strings.Lines(got) {
			if !strings.Contains(all, "\n"+strings.TrimSuffix(row, "\n")+"\n") {
				t.Errorf("%q is not a row of %q", row, table)
			}
		}
	})
}
