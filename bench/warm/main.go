// Command warm is a meter that starts the benchmark's bundle by package spawn, in its own process, as a program does
// that imports the package. For each byte that it reads it starts the bundle once, waits for its end, and prints a line
// in the form of meter.c, beside this directory.
//
//	warm BUNDLE
//
// The start makes no control group and stores no state: package spawn is only the start.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/nsinit"
	"github.com/handfast/handfast/spawn"
)

func main() {
	nsinit.Main()
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "warm:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: warm BUNDLE")
	}
	spec, bundle, err := oci.LoadBundle(args[0], "")
	if err != nil {
		return err
	}
	plan, err := oci.Plan(spec, oci.Options{Bundle: bundle, ID: "bench"})
	if err != nil {
		return err
	}
	config := plan.Spawn
	config.Compile = nsinit.Compile
	config.Files = [3]*os.File{nil, nil, os.Stderr}
	for one := make([]byte, 1); ; {
		if n, _ := os.Stdin.Read(one); n == 0 {
			return nil
		}
		began, before := time.Now(), used()
		status, err := start(config)
		if err != nil {
			return err
		}
		took, after := time.Since(began), used()
		fmt.Println(took.Nanoseconds(), after.user-before.user, after.system-before.system, after.peak, status, 0)
	}
}

func start(config spawn.Config) (status int, err error) {
	process, err := spawn.Start(context.Background(), config)
	if err != nil {
		return 0, err
	}
	defer process.Release()
	end, err := process.Wait(context.Background())
	return int(end), err
}

// usage is the processor time of this process and of those that it has waited for, in microseconds, and the peak of the
// largest of them in KiB.
type usage struct{ user, system, peak int64 }

func used() (u usage) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var r unix.Rusage
		if unix.Getrusage(who, &r) == nil {
			u.user += r.Utime.Nano() / 1000
			u.system += r.Stime.Nano() / 1000
			u.peak = max(u.peak, int64(r.Maxrss)) // 32 bits on some architectures
		}
	}
	return u
}
