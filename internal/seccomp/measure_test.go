package seccomp

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// workload returns testdata/workload.txt: how often a real workload made each call.
func workload(t testing.TB) map[string]int {
	t.Helper()
	f, err := os.Open("testdata/workload.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	counts := make(map[string]int)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		var name string
		var count int
		if _, err := fmt.Sscan(lines.Text(), &name, &count); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		counts[name] = count
	}
	return counts
}

// A cost is the cost of a program: its length, and the instructions executed for a call.
type cost struct {
	length int
	mean   float64 // over the workload's calls
	worst  int     // of any call of x86_64 or x86 with any arguments
}

func costOf(p *Profile, filter []Instruction, calls map[string]int) cost {
	c := cost{length: len(filter)}
	total, steps := 0, 0
	for name, count := range calls {
		number, _ := X86_64.Number(name)
		total += count
		steps += count * run(filter, &Data{Number: number, AuditArch: X86_64.AuditArch()}, false).Steps
	}
	c.mean = float64(steps) / float64(total)
	random := rand.New(rand.NewPCG(1, 1))
	values := compareArgs(p, random)
	for _, a := range []Arch{X86_64, X86, X32} {
		for _, call := range callsOf(a) {
			for range 50 {
				d := Data{Number: call.number, AuditArch: a.AuditArch()}
				for i := range d.Args {
					d.Args[i] = values[i][random.IntN(len(values[i]))]
				}
				c.worst = max(c.worst, run(filter, &d, false).Steps)
			}
		}
	}
	return c
}

// TestCostOracle measures the programs of the default profiles beside libseccomp's, with its list (level 1) and its
// tree (level 2), which runc loads. The ENOSYS for newer calls is left out. Run it with -v for the table in
// docs/performance.md. Our programs are never worse.
func TestCostOracle(t *testing.T) {
	o := startOracle(t)
	calls := workload(t)
	t.Logf("| profile | program | instructions | mean executed | most executed |\n| --- | --- | --- | --- | --- |")
	for _, c := range []struct{ profile, file string }{
		{"Docker", "docker-1"}, {"Podman", "podman-1"}, {"containerd", "containerd-1.6-ctr-1"},
	} {
		p, err := Parse(profileOf(t, "../oci/testdata/clients/"+c.file+".config.json"))
		if err != nil {
			t.Fatal(err)
		}
		p = o.withoutUnknownNames(p, X86_64)
		ours, err := Compile(p, X86_64)
		if err != nil {
			t.Fatal(err)
		}
		mine := costOf(p, ours.Filter, calls)
		t.Logf("| %s | handfast | %d | %.1f | %d |", c.profile, mine.length, mine.mean, mine.worst)
		for level := 1; level <= 2; level++ {
			filter, refused := o.compile(p, X86_64, level)
			if refused != "" {
				t.Fatal(refused)
			}
			theirs := costOf(p, filter, calls)
			t.Logf("| %s | libseccomp, level %d | %d | %.1f | %d |", c.profile, level, theirs.length, theirs.mean, theirs.worst)
			if mine.length > theirs.length || mine.mean > theirs.mean || mine.worst > theirs.worst {
				t.Errorf("%s: ours costs %+v, libseccomp's at level %d %+v", c.profile, mine, level, theirs)
			}
		}
	}
}
