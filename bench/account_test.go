package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/account"
	"github.com/handfast/handfast/internal/golden"
)

// TestAccountText has two rounds of one command: the time between two marks is a phase, the time after the last mark is
// the end, and the phases of a round add up to all of it.
func TestAccountText(t *testing.T) {
	round := func(begin int64, factor int64) accounted {
		at := func(phase string, ms, cpu, v, f int64) account.Mark {
			return account.Mark{Phase: phase, NS: begin + ms*factor*1e6, CPUUS: cpu * 1000, Voluntary: v, Faults: f}
		}
		return accounted{
			Command: "run", Begin: begin, End: begin + 10*factor*1e6,
			Tree:  account.Mark{CPUUS: 9000, Voluntary: 40, Involuntary: 2, Faults: 700},
			Marks: []account.Mark{at("start", 2, 1, 3, 200), at("child", 5, 2, 5, 210), at("child", 7, 3, 6, 211)},
		}
	}
	got := accountText("run (v2)", []accounted{round(1e9, 1), round(5e9, 3)})
	golden.Compare(t, filepath.Join("testdata", "account.txt"), got)
	if !strings.Contains(got, "100.0%") {
		t.Error("the phases are not the whole")
	}
}
