package nsinit

import (
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a process hands on to its children without a word, and a container must not get from whoever happened to call:
// which signals are ignored and which are blocked, signal(7), and on which processors it may run, sched_setaffinity(2).

// inheritedSignals sets every signal that the caller ignored to its default, as nohup(1) leaves SIGHUP, and makes sure
// that none is blocked. The Go runtime remembers the mask of its beginning, and gives it to every process that it
// makes: hooks. So a process that began with a mask is executed anew without. It is only for a child that still is in
// the mounts of its parent, where /proc is not the container's.
func inheritedSignals(again bool) {
	defaultActions()
	if emptyMask() || !again {
		return
	}
	// If it fails the program itself still gets an empty mask.
	_ = syscall.Exec("/proc/self/exe", os.Args, os.Environ())
}

// mips has the flags of a struct sigaction before the action, and 128 signals.
var mips = strings.HasPrefix(runtime.GOARCH, "mips")

// setSize is the size of the kernel's sigset_t in bytes, and signals their number.
func setSize() (bytes uintptr, signals int) {
	if mips {
		return 16, 127
	}
	return 8, 64
}

// defaultActions sets the signals that are ignored to SIG_DFL. The others are the Go runtime's, and the execution
// resets them.
func defaultActions() {
	const ignored = 1 // SIG_IGN
	size, signals := setSize()
	at := 0
	if mips {
		at = 1
	}
	for sig := 1; sig <= signals; sig++ {
		var action, standard [16]uintptr // larger than any architecture's struct sigaction; all zero is SIG_DFL
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), 0, uintptr(unsafe.Pointer(&action)), size, 0, 0)
		if errno == 0 && action[at] == ignored {
			_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&standard)), 0, size, 0, 0)
		}
	}
}

// emptyMask lets every signal of this thread in, and reports whether all were already.
func emptyMask() bool {
	size, _ := setSize()
	var none, old [2]uint64
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&none)),
		uintptr(unsafe.Pointer(&old)), size, 0, 0)
	return errno != 0 || old == none
}

// everyProcessor lets this thread, and so the program, run wherever its cpuset allows. Linux 6.2 and later remember a
// mask that was set once, and apply it to every cpuset to come (kernel/sched/core.c, user_cpus_ptr). What the kernel
// refuses here, to a thread of the deadline scheduler say, stays as it was.
func everyProcessor() {
	var mask [1024]byte // 8192 processors: more than the kernel can have; what it does not have it leaves out
	for i := range mask {
		mask[i] = 0xff
	}
	_, _, _ = unix.RawSyscall(unix.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
}
