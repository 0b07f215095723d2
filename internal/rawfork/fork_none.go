//go:build race || msan || asan || handfast_nofork

package rawfork

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Available reports whether this build can fork. An instrumented build cannot, because the code that it adds to every
// function must not run in the child.
const Available = false

// CanShare reports whether this build has Run.
const CanShare = false

func clone(uintptr, [3]uintptr, bool, []call, *report) (uintptr, syscall.Errno) {
	return 0, unix.ENOSYS
}
