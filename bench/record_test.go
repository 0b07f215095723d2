package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func recorded(task task, name string, runc, crun float64) ratios {
	return ratios{name, task, map[string]float64{"runc": runc, "crun (v2)": crun, "floor": 4}}
}

// TestComparison: only ratios that are more than 1.3 times the record are marked, and a missing measurement is no
// error.
func TestComparison(t *testing.T) {
	old := record{"6.18", 2, 50, []ratios{
		recorded(taskRun, "handfast", 0.30, 1.40), recorded(taskExec, "handfast", 0.30, 1.40),
		recorded(taskRun, "runc", 1, 4),
	}}
	now := record{"6.8", 4, 5, []ratios{recorded(taskRun, "handfast", 0.38, 1.90)}}
	want := `wall time as a multiple of another runtime's in the same round; recorded on Linux 6.18, 2 CPUs, 50 rounds

task             contender        to          recorded       now
run              handfast         runc            0.30      0.38
run              handfast         crun (v2)       1.40      1.90  <-- 1.4 times the record
exec             handfast         runc            0.30         -
exec             handfast         crun (v2)       1.40         -

1 beyond 1.3 times the record; a short round on a busy host may be: measure again before looking for the reason
`
	if diff := cmp.Diff(want, comparison(old, now)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRecordFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "record.json")
	r := report{Kernel: "6.18", CPUs: 2, Rounds: 3, Contenders: []result{
		{Name: "handfast", Task: taskRun, To: map[string]float64{"runc": 0.3}},
	}}
	if err := r.record().write(file); err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(file)
	if diff := cmp.Diff(r.record(), got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for text, word := range map[string]string{"{}": "no ratios", "{": "unexpected end"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readRecord(file)
		if err == nil || !strings.Contains(err.Error(), word) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
