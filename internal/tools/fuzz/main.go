// Command fuzz runs every fuzz target of the module for the given time each, one after the other, because "go test"
// takes only one at a time. Its argument is the time, such as 30s. Run it from the module's root. It stops at the
// first target that fails; go test has then saved the input below that package's testdata/fuzz.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		fail("usage: fuzz TIME (such as 30s)")
	}
	if _, err := time.ParseDuration(os.Args[1]); err != nil {
		fail(err.Error())
	}
	targets, err := find()
	if err != nil {
		fail(err.Error())
	}
	if len(targets) == 0 {
		fail("no fuzz target found: run this from the module's root")
	}
	for i, t := range targets {
		fmt.Printf("fuzz %d/%d: %s in %s for %s\n", i+1, len(targets), t.name, t.pkg, os.Args[1])
		if err := t.run(os.Args[1]); err != nil {
			fail(fmt.Sprintf("%s in %s: %v", t.name, t.pkg, err))
		}
	}
}

// run fuzzes one target. If go test ended a run only because its time was over, and found nothing, run repeats it.
func (t target) run(duration string) (err error) {
	for range 3 {
		var said strings.Builder
		cmd := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", duration, t.pkg)
		cmd.Stdout, cmd.Stderr = io.MultiWriter(os.Stdout, &said), os.Stderr
		if err = cmd.Run(); err == nil || !ranOut(said.String()) {
			return err
		}
	}
	return err
}

// ranOut reports whether a failed run only ran out of time. If -fuzztime ends while a worker is in the middle of an
// input, go test sometimes mistakes its own deadline for a failure of the target. A real failure is reported with
// the input that causes it, or as the failure of a seed.
func ranOut(said string) bool {
	_, report, failed := strings.Cut(said, "--- FAIL: ")
	if !failed {
		return false
	}
	lines := strings.Split(report, "\n")
	return len(lines) > 2 && strings.TrimSpace(lines[1]) == "context deadline exceeded" && lines[2] == "FAIL"
}

type target struct{ pkg, name string }

// find lists the targets of the compiled tests, so that build constraints and generated tests count.
func find() ([]target, error) {
	cmd := exec.Command("go", "test", "-list", "^Fuzz", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
	}
	return parse(string(out)), nil
}

// parse reads the output of "go test -list": the names of a package's targets, then "ok", the package and a time.
func parse(list string) []target {
	var targets []target
	var names []string
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 1 && strings.HasPrefix(fields[0], "Fuzz"):
			names = append(names, fields[0])
		case len(fields) > 1 && fields[0] == "ok":
			for _, n := range names {
				targets = append(targets, target{fields[1], n})
			}
			names = nil
		}
	}
	return targets
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, "fuzz:", text)
	os.Exit(1)
}
