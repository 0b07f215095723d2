//go:build !race && !msan && !asan && !handfast_nofork

package rawfork

import (
	"syscall"
	_ "unsafe" // for go:linkname

	"golang.org/x/sys/unix"
)

// Available reports whether this build can fork. An instrumented build cannot, because the code that it adds to every
// function must not run in the child.
const Available = true

// These rules apply to all code between the clone and the execution:
//
//   - It does not allocate: no append, no closure, no interface, no new string. It only writes plain numbers, so there
//     is no write barrier.
//   - The stack does not grow: every function is nosplit, and only calls such functions or assembly.
//   - It takes no lock and uses no channel: the threads that could release them do not exist here.
//   - It decides nothing that is not in the list. The parent has created every pointer in the list, and keeps it alive
//     until the clone has returned.
//   - No signal handler runs: the runtime has blocked all signals before, and they are unblocked when there are no
//     handlers any more. Either the kernel has removed them, or the runtime does (afterForkInChild), which also
//     restores the mask.
//   - The stack frames that the parent will return from stay as they are, because the child may share the stack. So the
//     child does everything below the frame of cloneRaw, and never returns from it, and in the parent that function
//     returns at once.
//
// They are the rules of forkAndExecInChild1 in package syscall. The runtime exports the three functions for this use,
// and has promised to keep them (go.dev/issue/67401).

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

//go:linkname afterForkInChild syscall.runtime_AfterForkInChild
func afterForkInChild()

// clone creates the child and returns its pid; in the child it does not return. cleared says that the system call
// resets the signal handlers.
func clone(trap uintptr, args [3]uintptr, cleared bool, calls []call, r *report) (pid uintptr, errno syscall.Errno) {
	pid, e := cloneRaw(trap, args, cleared, calls, r)
	afterFork()
	return pid, syscall.Errno(e)
}

//go:noinline
//go:norace
//go:nocheckptr
func cloneRaw(trap uintptr, args [3]uintptr, cleared bool, calls []call, r *report) (pid, errno uintptr) {
	beforeFork() // from here on the stack must not grow
	pid, errno = vfork(trap, args[0], args[1], args[2])
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	if !cleared {
		afterForkInChild()
	}
	step(calls, r)
	return 0, 0
}

// step carries out the list in the child. It ends with the execution, or with the process.
//
//go:nosplit
//go:norace
//go:nocheckptr
func step(calls []call, r *report) {
	for i := range calls {
		c := &calls[i]
		if c.kind == again && calls[uint(c.of)%uint(len(calls))].errno == 0 {
			continue
		}
		n, _, errno := syscall.RawSyscall6(c.trap, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5])
		for c.kind == await && errno == unix.EINTR {
			n, _, errno = syscall.RawSyscall6(c.trap, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5])
		}
		if c.kind == await && errno == 0 && n != 1 {
			errno = unix.ECANCELED // the parent is gone
		}
		if c.kind == fork && errno == 0 && n != 0 {
			exit(0)
		}
		c.errno = uintptr(errno)
		if errno != 0 && (c.kind != try || errno != unix.EPERM) {
			r.place, r.errno = int32(i), int32(errno)
			exit(1)
		}
	}
	exit(1)
}

//go:nosplit
//go:norace
func exit(status uintptr) {
	for {
		_, _, _ = syscall.RawSyscall(unix.SYS_EXIT_GROUP, status, 0, 0)
	}
}
