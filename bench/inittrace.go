package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// initCost is the cost of a Go program before main, as it reports it.
type initCost struct {
	MS     float64 `json:"ms"`     // median over several starts of the sum over all packages
	Allocs int     `json:"allocs"` // in the last start
	Binary int64   `json:"binary_bytes"`
}

// measureInit starts the program with GODEBUG=inittrace=1, which makes the runtime print a line for each package.
func measureInit(program string) (initCost, error) {
	info, err := os.Stat(program)
	if err != nil {
		return initCost{}, err
	}
	cost := initCost{Binary: info.Size()}
	var sums []float64
	for range 11 {
		cmd := exec.Command(program, "--version")
		cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		var trace strings.Builder
		cmd.Stderr = &trace
		if err := cmd.Run(); err != nil {
			return cost, fmt.Errorf("%s --version: %w", program, err)
		}
		ms, allocs := sumInit(trace.String())
		sums = append(sums, ms)
		cost.Allocs = allocs
	}
	cost.MS = median(sums)
	return cost, nil
}

// sumInit adds up lines such as "init os @0.1 ms, 0.014 ms clock, 4120 bytes, 21 allocs".
func sumInit(trace string) (ms float64, allocs int) {
	for line := range strings.Lines(trace) {
		f := strings.Fields(line)
		if len(f) < 10 || f[0] != "init" || f[5] != "ms" || f[6] != "clock," {
			continue
		}
		clock, err1 := strconv.ParseFloat(f[4], 64)
		n, err2 := strconv.Atoi(f[9])
		if err1 == nil && err2 == nil {
			ms += clock
			allocs += n
		}
	}
	return ms, allocs
}
