package sys

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// OnThread runs f on a thread that ends afterwards, because a thread with other namespaces, groups or keys must not run
// anything else. The process's first thread cannot end before the process, and procfs shows its namespaces as those of
// the process, so it never runs f.
func OnThread(f func() error) error {
	done := make(chan error, 1)
	go throwaway(f, done)
	return <-done
}

func throwaway(f func() error, done chan<- error) {
	runtime.LockOSThread() // and not unlocked: the runtime ends a thread with the goroutine that is locked to it
	if unix.Gettid() != unix.Getpid() {
		done <- f()
		return
	}
	other := make(chan error, 1)
	go throwaway(f, other)
	done <- <-other
	runtime.UnlockOSThread()
}
