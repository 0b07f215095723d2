// Command managers puts container managers through an exercise, twice: with handfast as their runtime, and with runc.
// Every line of what they print must be the same, except for what differences.json explains.
//
// Each exercise runs in a room of its own (package internal/testenv/room), where the manager has its usual paths and
// the configuration that docs/integrations.md shows: the host does not change, and what a daemon leaves ends with the
// room. The run also fails if a command ends otherwise than the exercise says, or if an explanation explains nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/handfast/handfast/internal/testenv/room"
)

// options are the options of the command line.
type options struct {
	run      string        // only managers whose name contains it
	line     string        // only lines whose name contains it
	handfast string        // path of the binary
	control  string        // path of the runtime to compare with
	limit    time.Duration // for one exercise
	output   string        // directory for what each exercise printed; empty: none
	verbose  bool
}

func main() {
	room.Init()
	if len(os.Args) > 1 && os.Args[1] == insideArg {
		room.Exit("managers", inside(os.Args[2:]))
	}
	o := options{}
	flag.StringVar(&o.run, "run", "", "run only the managers whose name contains this; some need the whole name")
	flag.StringVar(&o.line, "line", "", "run only the lines whose name contains this, and those that always run")
	flag.StringVar(&o.handfast, "handfast", "bin/handfast", "the binary to test")
	flag.StringVar(&o.control, "control", "/usr/sbin/runc", "the runtime to compare with")
	flag.DurationVar(&o.limit, "limit", 10*time.Minute, "longest time for one exercise")
	flag.StringVar(&o.output, "o", "", "write what each exercise printed into this directory")
	flag.BoolVar(&o.verbose, "v", false, "print the differences that are explained, too")
	flag.Parse()
	room.Main("managers", func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) error {
	for _, path := range []*string{&o.handfast, &o.control} {
		absolute, err := filepath.Abs(*path)
		if err == nil {
			_, err = os.Stat(absolute)
		}
		if err != nil {
			return fmt.Errorf("no runtime: %w", err)
		}
		*path = absolute
	}
	rows, err := parseDifferences(differencesFile)
	if err != nil {
		return err
	}
	total := &verdict{used: map[use]bool{}}
	for _, m := range managers() {
		if !m.wanted(o.run) {
			continue
		}
		built, err := build(m.built)
		if err != nil {
			return err
		}
		begin := time.Now()
		control, candidate, err := both(ctx, m, built, o)
		if err != nil {
			return err
		}
		v := judge(m, control, candidate, rows)
		v.print(os.Stdout, m, o.verbose)
		fmt.Printf("%-10s %3d lines, %d differ, %d of them explained, %d faults, %.0fs (%s)\n", m.name, len(control.Lines),
			v.differing, v.explained, len(v.faults), time.Since(begin).Seconds(),
			strings.ReplaceAll(strings.TrimSpace(candidate.Version), "\n", "; "))
		total.add(v)
	}
	return total.end(os.Stdout, rows)
}

// both runs the exercise with both runtimes at once, each in its own room.
func both(ctx context.Context, m manager, built string, o options) (control, candidate record, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	type result struct {
		record
		error
	}
	done := make(chan result)
	go func() {
		file := o.control
		if m.control != "" {
			file = filepath.Join(built, m.control)
		}
		r, err := exercise(ctx, m, runtimeOf(controlName, file), built, o)
		done <- result{r, err}
	}()
	candidate, err = exercise(ctx, m, runtimeOf(handfastName, o.handfast), built, o)
	c := <-done
	return c.record, candidate, errors.Join(c.error, err)
}
