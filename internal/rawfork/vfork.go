//go:build (amd64 || arm64) && !race && !msan && !asan && !handfast_nofork

package rawfork

// CanShare reports whether this build has Run.
const CanShare = true

// vfork makes a system call that creates a process, which may run in the same memory, on the same stack.
func vfork(trap, a1, a2, a3 uintptr) (r1, errno uintptr)
