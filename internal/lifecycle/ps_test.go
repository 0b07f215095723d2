package lifecycle

import "testing"

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
