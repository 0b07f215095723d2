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

// settle limits how long the leak check waits for what is still being torn down: a killed process that must be reaped,
// a cgroup that must become empty. The time itself is not tested.
const settle = 5 * time.Second

// Options tunes Main. The zero value checks everything.
type Options struct {
	// First, if not nil, runs before anything else in the process. It is for an entry point that makes a re-executed
	// test binary something else, and returns in any other process.
	First func()
	// SkipLeakCheck, if not empty, is the reason to skip the leak check at the end, which is printed.
	SkipLeakCheck string
}

// workDir is this process's temporary directory, or empty outside Main.
var workDir string

// Main runs the package's tests and ends the process. TMPDIR points into a directory of this process, so that leftovers
// (a file, a mount) can be told from those of other packages' tests, which run at the same time. If a descriptor,
// goroutine, child process, mount, cgroup or file is leaked, passing tests fail.
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
	// A container with mapped ids needs to search this directory as another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		return 1
	}
	workDir = dir
	os.Setenv("TMPDIR", dir)

	if signal.Ignored(syscall.SIGHUP) {
		// SIGHUP is ignored below nohup(1), and processes that tests start would ignore it too. For a caught signal
		// they get the default action.
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
		// RemoveAll would delete the files in a leaked mount.
		fmt.Fprintln(os.Stderr, "testenv: kept, because something is mounted in it:", dir)
		return max(code, 1)
	}
	os.RemoveAll(dir)
	return code
}

// fuzzWorker reports whether "go test -fuzz" started this process as one of its workers.
func fuzzWorker() bool {
	for _, arg := range os.Args[1:] {
		if strings.HasPrefix(arg, "-test.fuzzworker") {
			return true
		}
	}
	return false
}
