package testenv

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// settle bounds how long the leak check waits for what is still being torn down: a killed process needs a moment to
// be reaped, a cgroup to empty. It is a bound on patience, not a measurement.
const settle = 5 * time.Second

// Options tunes Main. The zero value checks everything.
type Options struct {
	// First, if not nil, runs before anything else in the process: the place for an entry point that turns a
	// re-executed test binary into something else, and returns when there is nothing to turn into.
	First func()
	// SkipLeakCheck, if not empty, is the reason for not checking for leaks at the end, printed as it is.
	SkipLeakCheck string
}

// workDir is this process's temporary directory, empty outside Main.
var workDir string

// Main runs the package's tests and ends the process. TMPDIR points into a directory of this process alone, so that
// whatever the tests leave (a file, a mount) can be told from what another package's tests are doing meanwhile.
// A leak of a descriptor, goroutine, child process, mount, cgroup or file makes passing tests fail.
func Main(m *testing.M, o Options) {
	if o.First != nil {
		o.First()
	}
	if fuzzWorker() {
		// The coordinator owns this process and its descriptors, and ends it with a signal.
		os.Exit(m.Run())
	}
	os.Exit(run(m, o))
}

func run(m *testing.M, o Options) int {
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", prefix, os.Getpid()))
	if err != nil {
		fmt.Fprintln(os.Stderr, "testenv: no temporary directory:", err)
		return 1
	}
	// A container with ids of its own walks through this directory as a stranger.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		return 1
	}
	workDir = dir
	os.Setenv("TMPDIR", dir)

	if signal.Ignored(syscall.SIGHUP) {
		// By nohup(1): what the tests start would ignore it too. A signal that is caught is the default again for them.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	before := observe()
	code := m.Run()
	os.RemoveAll(filepath.Join(dir, buildDir))
	if o.SkipLeakCheck != "" {
		fmt.Fprintln(os.Stderr, "testenv: leak check skipped:", o.SkipLeakCheck)
	} else if leaks := before.leaks(dir, settle); len(leaks) > 0 {
		fmt.Fprintf(os.Stderr, "testenv: the tests left %d thing(s) behind:\n\t%s\n", len(leaks), strings.Join(leaks, "\n\t"))
		code = max(code, 1)
	}
	removeGroups()
	if len(mountsBelow(dir)) > 0 {
		// RemoveAll would walk through a leaked mount and delete what is mounted there.
		fmt.Fprintln(os.Stderr, "testenv: kept, because something is mounted in it:", dir)
		return max(code, 1)
	}
	os.RemoveAll(dir)
	return code
}

// fuzzWorker says whether "go test -fuzz" started this process as one of its workers.
func fuzzWorker() bool {
	for _, arg := range os.Args[1:] {
		if strings.HasPrefix(arg, "-test.fuzzworker") {
			return true
		}
	}
	return false
}
