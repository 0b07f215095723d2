// Command oci runs the official validation suite of the Open Container Initiative, the programs below validation/ of
// github.com/opencontainers/runtime-tools, against a runtime, and judges what they print.
//
// Every assertion must hold, except for those in docs/runtime.md, which proves for each that the suite is wrong or that
// the host lacks something. The run fails if another assertion does not hold, and also if one holds for which the table
// blames the suite. -runtime tests another runtime, whose results are reported but not judged.
//
// The suite uses fixed control groups and leaves containers behind if it fails. So each program runs in a room of its
// own (package internal/testenv/room), and the host does not change.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/handfast/handfast/internal/testenv/room"
)

// options are the options of the command line.
type options struct {
	runtime string        // absolute path of a program; empty: build handfast
	run     string        // only programs whose name contains it
	output  string        // directory for the output of each program; empty: none
	limit   time.Duration // for one program
	verbose bool
	repo    string // the root of handfast's module
}

func main() {
	room.Init()
	o := options{}
	flag.StringVar(&o.runtime, "runtime", "", "runtime to test, reported and not judged (default: this module's handfast)")
	flag.StringVar(&o.run, "run", "", "run only the programs whose name contains this")
	flag.StringVar(&o.output, "o", "", "write what each program printed into this directory")
	flag.DurationVar(&o.limit, "limit", 2*time.Minute, "longest time for one program")
	flag.BoolVar(&o.verbose, "v", false, "print every assertion that does not hold, listed ones too")
	flag.StringVar(&o.repo, "repo", filepath.Join("..", ".."), "root of handfast's module")
	flag.Parse()
	room.Main("oci", func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "handfast-oci-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // containers run as other users
		return err
	}
	suite, err := build(ctx, dir, o)
	if err != nil {
		return err
	}
	results := runAll(ctx, suite, o)
	if err := context.Cause(ctx); ctx.Err() != nil {
		return err
	}
	var rows []row // another runtime is not judged
	if o.runtime == "" {
		if rows, err = readRows(filepath.Join(o.repo, "docs", "runtime.md")); err != nil {
			return err
		}
	}
	verdict := judge(results, rows)
	verdict.print(os.Stdout, o)
	if problems := len(verdict.surprises) + len(verdict.stale); o.runtime == "" && problems > 0 {
		return fmt.Errorf("%d assertions are not as docs/runtime.md lists them", problems)
	}
	return nil
}
