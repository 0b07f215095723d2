package cgroupfs

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// TestBudgetInAnotherPeriod: a share in another period is no less than the budget, and less than one microsecond more.
func TestBudgetInAnotherPeriod(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := budget{period: rapid.Int64Range(1, 4_000_000).Draw(t, "period")}
		b.runtime = rapid.Int64Range(0, b.period).Draw(t, "runtime")
		period := rapid.Int64Range(1, 4_000_000).Draw(t, "other period")
		got := b.scaledTo(period)
		if got*b.period < b.runtime*period || (got-1)*b.period >= b.runtime*period && got > 0 {
			t.Fatalf("%+v is %d in %d", b, got, period)
		}
	})
	if got := (budget{-1, 1000}).scaledTo(500); got != 500 {
		t.Errorf("no limit is %d of 500", got)
	}
}

// TestBudgets: what a group has, and what the groups in it take with what one of them shall have in place of what it
// has.
func TestBudgets(t *testing.T) {
	path := t.TempDir()
	for name, b := range map[string][2]string{
		"": {"950000\n", "1000000\n"}, "a": {"100\n", "1000\n"}, "b": {"0\n", "1000000\n"}, "c": {"-1\n", "1000000\n"},
	} {
		dir := filepath.Join(path, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for file, text := range map[string]string{budgetFile: b[0], periodFile: b[1]} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	d := dir{fd, path}
	defer d.close()
	has, taken, err := budgets(d, "", "b", budget{5, 100})
	if err != nil || has != (budget{950000, 1000000}) || taken != 50000+100000+1000000 {
		t.Errorf("%+v, %d taken, %v", has, taken, err)
	}
	if err := os.WriteFile(filepath.Join(path, "a", budgetFile), []byte("much"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := budgets(d, "", "b", budget{5, 100}); err == nil {
		t.Error("a budget that is no number was taken for one")
	}
}
