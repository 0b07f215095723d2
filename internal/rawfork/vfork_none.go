//go:build !(amd64 || arm64) && !race && !msan && !asan && !handfast_nofork

package rawfork

import "syscall"

// CanShare reports whether this build has Run.
const CanShare = false

func vfork(trap, a1, a2, a3 uintptr) (r1, errno uintptr) {
	r1, _, e := syscall.RawSyscall(trap, a1, a2, a3)
	return r1, uintptr(e)
}
