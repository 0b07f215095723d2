//go:build !race && !msan && !asan && !handfast_nofork

package rawfork

import (
	"syscall"
	_ "unsafe" // for go:linkname

	"golang.org/x/sys/unix"
)

// Available reports whether this build can fork. One that is instrumented cannot: what it adds to every function must
// not run in the child.
const Available = true

// The rules of this file, for everything that runs between the clone and the execution:
//
//   - no memory is taken: no append, no closure, no interface, no string is made, and what is written is plain
//     numbers, so that there is no write barrier;
//   - the stack does not grow: every function is nosplit, and calls only such, or assembly;
//   - no lock is taken and no channel used: the threads that could give them back do not exist here;
//   - nothing is decided that is not in the list, and every pointer in it was made by the parent and is kept alive by
//     it until the clone has returned;
//   - no signal handler runs: the runtime has blocked all signals before, and has set all handlers back before they
//     are let in again.
//
// They are those of forkAndExecInChild1 in package syscall. The three functions of the runtime are pushed for such use,
// with a promise to stay (go.dev/issue/67401).

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

//go:linkname afterForkInChild syscall.runtime_AfterForkInChild
func afterForkInChild()

// clone makes the child and returns its number; in the child it does not return.
//
//go:noinline
//go:norace
//go:nocheckptr
func clone(trap uintptr, args [3]uintptr, calls []call, r *report) (pid uintptr, errno syscall.Errno) {
	beforeFork()
	pid, _, errno = syscall.RawSyscall(trap, args[0], args[1], args[2])
	if errno != 0 || pid != 0 {
		afterFork()
		return pid, errno
	}
	afterForkInChild()
	step(calls, r)
	return 0, 0
}

// step is the child's life. It ends with the execution, or with the process.
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
