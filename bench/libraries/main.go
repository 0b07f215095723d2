// Command libraries measures the cost of libraries that handfast could use: each folder here is a program that links
// one library and does nothing with it. Beside a program that links nothing, it prints the size of each in KiB, and the
// cost of its start before main: memory pages touched, and time. Run it in this directory.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// base is the program that the others are compared with.
const base = "empty"

// program is one row of the table.
type program struct {
	name, path string
	size       int64
	faults     []int64         // minor page faults of each run
	took       []time.Duration // from before the start to after the end of each run
}

func main() {
	rounds := flag.Int("rounds", 100, "how often each program is started")
	flag.Parse()
	if err := run(*rounds); err != nil {
		fmt.Fprintln(os.Stderr, "libraries:", err)
		os.Exit(1)
	}
}

func run(rounds int) error {
	if rounds < 1 {
		return fmt.Errorf("-rounds %d: want at least 1", rounds)
	}
	dir, err := os.MkdirTemp("", "handfast-libraries-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	programs, err := build(dir)
	if err != nil {
		return err
	}
	for range rounds {
		for _, p := range programs {
			if err := p.start(); err != nil {
				return err
			}
		}
	}
	report(programs)
	return nil
}

// build builds every program below this directory.
func build(dir string) ([]*program, error) {
	sources, err := filepath.Glob("*/main.go")
	if err != nil {
		return nil, err
	}
	var programs []*program
	for _, source := range sources {
		p := &program{name: filepath.Dir(source)}
		p.path = filepath.Join(dir, p.name)
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", p.path, "./"+p.name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go build ./%s: %w\n%s", p.name, err, out)
		}
		info, err := os.Stat(p.path)
		if err != nil {
			return nil, err
		}
		p.size = info.Size()
		programs = append(programs, p)
	}
	if len(programs) == 0 {
		return nil, fmt.Errorf("no programs here: run it in bench/libraries")
	}
	return programs, nil
}

func (p *program) start() error {
	cmd := exec.Command(p.path)
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.took = append(p.took, time.Since(begin))
	p.faults = append(p.faults, cmd.ProcessState.SysUsage().(*syscall.Rusage).Minflt)
	return nil
}

func report(programs []*program) {
	i := slices.IndexFunc(programs, func(p *program) bool { return p.name == base })
	empty := programs[max(i, 0)]
	fmt.Printf("%-10s %9s %9s %9s %12s\n", "", "KiB", "more", "pages", "microseconds")
	for _, p := range programs {
		fmt.Printf("%-10s %9d %+9d %+9d %+12d\n", p.name, p.size>>10, (p.size-empty.size)>>10,
			median(p.faults)-median(empty.faults), (median(p.took) - median(empty.took)).Microseconds())
	}
}

func median[T int64 | time.Duration](all []T) T {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}
