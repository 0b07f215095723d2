// Command oci runs the official validation suite of the Open Container Initiative, the programs below validation/ of
// github.com/opencontainers/runtime-tools, against a runtime, and judges what they print.
//
// Every assertion must hold, but for those that docs/runtime.md lists, each with the proof that the suite is wrong or
// that the host lacks something. One that does not hold and is not listed is a failure, and so is one that is listed
// as the suite's fault and holds. -runtime takes another runtime, which is reported and not judged.
//
// The suite writes to fixed control groups and leaves containers behind where it fails. So it runs in a room of its own
// (see room.go), and the host is as it was afterwards.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// options are what the command line says.
type options struct {
	runtime string        // a program's path, absolute; empty: handfast, built
	run     string        // only programs whose name contains it
	output  string        // directory for what each program printed; empty: nowhere
	limit   time.Duration // for one program
	verbose bool
	repo    string // the root of handfast's module
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == stageInit {
		exit(initRoom(os.Args[2:]))
	}
	o := options{}
	flag.StringVar(&o.runtime, "runtime", "", "runtime to test, reported and not judged (default: this module's handfast)")
	flag.StringVar(&o.run, "run", "", "run only the programs whose name contains this")
	flag.StringVar(&o.output, "o", "", "write what each program printed into this directory")
	flag.DurationVar(&o.limit, "limit", 2*time.Minute, "longest time for one program")
	flag.BoolVar(&o.verbose, "v", false, "print every assertion that does not hold, listed ones too")
	flag.StringVar(&o.repo, "repo", filepath.Join("..", ".."), "root of handfast's module")
	flag.Parse()
	exit(run(o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "oci:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(o options) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("the suite makes namespaces, devices and control groups: run it as root")
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
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
	var rows []row // with another runtime nothing is judged
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
