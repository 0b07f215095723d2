package nsinit

import (
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Children inherit these settings implicitly, and a container must not get them from whatever process happened to
// call: which signals are ignored, which are blocked, signal(7), and the allowed processors, sched_setaffinity(2).

// inheritedSignals resets every signal that the caller ignored to its default, such as SIGHUP from nohup(1), and
// makes sure that none is blocked. The Go runtime remembers the mask with which it started, and gives it to every
// process that it makes, and so to hooks. Therefore a process that started with a mask is executed again without
// it. again permits this; it is only for a child that is still in the mounts of its parent, where /proc is not the
// container's.
func inheritedSignals(again bool) {
	defaultActions()
	if emptyMask() || !again {
		return
	}
	// If this fails, the program itself still gets an empty mask.
	_ = syscall.Exec("/proc/self/exe", os.Args, os.Environ())
}

// mips reports whether struct sigaction has the flags before the action, and there are 128 signals.
var mips = strings.HasPrefix(runtime.GOARCH, "mips")

// setSize returns the size of the kernel's sigset_t in bytes, and the number of signals.
func setSize() (bytes uintptr, signals int) {
	if mips {
		return 16, 128
	}
	return 8, 64
}

// defaultActions sets ignored signals to SIG_DFL. The others have actions of the Go runtime, which the execution
// resets.
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

// emptyMask unblocks all signals of this thread, and reports whether all were unblocked already.
func emptyMask() bool {
	size, _ := setSize()
	var none, old [2]uint64
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&none)),
		uintptr(unsafe.Pointer(&old)), size, 0, 0)
	return errno != 0 || old == none
}

// everyProcessor lets this thread, and so the program, run wherever its cpuset allows. Linux 6.2 and later remember
// a mask that was set once, and apply it to every later cpuset (kernel/sched/core.c, user_cpus_ptr). If the kernel
// refuses the change, for example to a thread of the deadline scheduler, the mask stays as it was.
func everyProcessor() {
	var mask [1024]byte // 8192 processors: more than the kernel can have; it ignores those that it does not have
	for i := range mask {
		mask[i] = 0xff
	}
	_, _, _ = unix.RawSyscall(unix.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
}
