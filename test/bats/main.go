// Command bats runs runc's own integration tests, tests/integration of github.com/opencontainers/runc, twice: with
// runc, built from the same version, and with handfast. Every test that runc passes on this host must pass with
// handfast, except for those in docs/runtime.md, which says for each why not.
//
// The run fails if another test differs, and also if one of the table passes. Tests that runc itself does not pass,
// because the host lacks something, are counted and not judged.
//
// The tests use fixed control groups, need a terminal, and leave containers behind if they fail. So each file runs in a
// room of its own (package internal/testenv/room), and the host does not change.
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
	version  string        // of runc's module
	handfast string        // path of the binary
	run      string        // only files whose name contains it
	filter   string        // only tests whose name matches this regular expression of bats
	user     bool          // run the tests as a plain user with subordinate ids
	output   string        // directory for what each file printed; empty: none
	limit    time.Duration // for one file with one runtime
	repo     string        // the root of handfast's module
}

func main() {
	room.Init()
	if len(os.Args) > 1 && os.Args[1] == insideArg {
		room.Exit("bats", inside(os.Args[2:]))
	}
	o := options{}
	flag.StringVar(&o.version, "version", "v1.6.0-rc.1", "version of runc and of its tests")
	flag.StringVar(&o.handfast, "handfast", "bin/handfast", "the binary to test")
	flag.StringVar(&o.run, "run", "", "run only the files whose name contains this")
	flag.StringVar(&o.filter, "filter", "", "run only the tests whose name matches this regular expression")
	flag.BoolVar(&o.user, "user", false, "run the tests as a plain user with subordinate ids")
	flag.StringVar(&o.output, "o", "", "write what each file printed into this directory")
	flag.DurationVar(&o.limit, "limit", 10*time.Minute, "longest time for one file with one runtime")
	flag.StringVar(&o.repo, "repo", ".", "root of handfast's module")
	flag.Parse()
	room.Main("bats", func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) error {
	rows, err := readRows(filepath.Join(o.repo, "docs", "runtime.md"))
	if err != nil {
		return err
	}
	if o.handfast, err = filepath.Abs(o.handfast); err != nil {
		return err
	}
	if _, err := os.Stat(o.handfast); err != nil {
		return fmt.Errorf("no binary to test (make build): %w", err)
	}
	dir, err := os.MkdirTemp("", "handfast-bats-")
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
	v := &verdict{rows: rows, asUser: o.user}
	for _, file := range suite.files {
		control, candidate := runBoth(ctx, suite, file, o)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		v.add(os.Stdout, file, control, candidate)
	}
	return v.end(os.Stdout)
}
