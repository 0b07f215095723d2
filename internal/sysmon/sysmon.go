// Package sysmon keeps the monitor thread of Go's runtime from costing a short command more than it is worth.
//
// The monitor (sysmon, runtime/proc.go) looks at the processors of the scheduler every 20 µs, and less often only once
// it has found nothing to do for some milliseconds: in a command that lives for less than ten it wakes a hundred times,
// each time on a processor that the container's own start could have had. How often it really wakes is the kernel's to
// decide within the thread's timer slack (PR_SET_TIMERSLACK(2const)), which for another thread is set through procfs
// (/proc/TID/timerslack_ns, Linux fs/proc/base.c).
//
// It uses package syscall alone, so that it can be called before most of the program's packages are initialised: see
// package early.
package sysmon

import (
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// Variable is the environment variable in which a process that has changed a timer slack tells its child the one that
// the child must have: see Env.
const Variable = "HANDFAST_TIMERSLACK"

// Slack is the monitor's timer slack after Relax, in nanoseconds: what the runtime itself lets it sleep when nothing
// happens. A goroutine that others wait for behind a long system call may wait that much longer.
const (
	Slack     = 10_000_000
	slackText = "10000000"
)

// own is the timer slack that this process was started with, once Relax has changed another thread's; else zero.
var own uintptr

// Of <linux/prctl.h>, <linux/magic.h> and <linux/openat2.h>.
const (
	prSetTimerslack = 29
	prGetTimerslack = 30
	procMagic       = 0x9fa0
	procRootInode   = 1 // PROC_ROOT_INO, fs/proc/root.c
	sysOpenat2      = 437
	noXDev          = 0x01 // RESOLVE_NO_XDEV
	noMagicLinks    = 0x02 // RESOLVE_NO_MAGICLINKS
	oPath           = 0x200000
)

// Relax lets the monitor wake a hundred times a second at most. It needs CAP_SYS_NICE, Linux 5.6, and procfs at /proc,
// and changes nothing without them, nor when it is called again. The monitor is the first thread that the runtime
// makes, and the kernel lists threads in that order: so it comes before a goroutine that is locked to its thread ends.
//
// Before that, it gives the calling thread the slack that Variable tells, and removes the variable.
func Relax() {
	if own != 0 {
		return
	}
	slack, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prGetTimerslack, 0, 0, 0, 0, 0)
	if errno != 0 {
		return
	}
	if told := told(); told != 0 && told != slack {
		if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetTimerslack, told, 0, 0, 0, 0); errno == 0 {
			slack = told
		}
	}
	if slack >= Slack {
		return
	}
	proc, ok := openProc()
	if !ok {
		return
	}
	defer syscall.Close(proc)
	monitor := secondThread(proc)
	if monitor == "" {
		return
	}
	// Not below self/task: the file stands only where a process's directory is, and /proc/TID is one for any thread.
	fd, ok := open(proc, monitor+"/timerslack_ns", syscall.O_WRONLY)
	if !ok {
		return
	}
	defer syscall.Close(fd)
	if _, err := syscall.Write(fd, []byte(slackText)); err == nil {
		own = slack
	}
}

// told is the timer slack that Variable tells, and zero where there is none.
func told() uintptr {
	text, ok := syscall.Getenv(Variable)
	if !ok {
		return 0
	}
	_ = syscall.Unsetenv(Variable)
	slack, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0
	}
	return uintptr(slack)
}

// Own is the timer slack that this process was started with, in nanoseconds, if Relax has changed that of another
// thread; otherwise 0.
func Own() uint { return uint(own) }

// Env is what the environment of a child says that calls Relax: the timer slack that this process was started with,
// once Relax has changed that of another thread. The child cannot know it otherwise. A process has the slack of the
// thread that made it, a thread that the monitor has made has the monitor's, and a goroutine may be on any of them by
// the time of its clone(2); locking it to its thread costs another thread, the runtime's template.
func Env() []string {
	if own == 0 {
		return nil
	}
	return []string{Variable + "=" + strconv.FormatUint(uint64(own), 10)}
}

// Forking sees to it that a process which the calling goroutine makes next has the timer slack that this process was
// started with, whatever program it is: see Env for one of our own. Done is called when the process has been made.
func Forking() (done func()) {
	if own == 0 {
		return func() {}
	}
	runtime.LockOSThread() // or it may go on on another thread before the fork
	_, _, _ = syscall.RawSyscall6(syscall.SYS_PRCTL, prSetTimerslack, own, 0, 0, 0, 0)
	return runtime.UnlockOSThread
}

// openProc opens the root of a procfs, and nothing else that may be mounted in its place.
func openProc() (fd int, ok bool) {
	fd, err := syscall.Open("/proc", oPath|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return -1, false
	}
	var fs syscall.Statfs_t
	var st syscall.Stat_t
	if syscall.Fstatfs(fd, &fs) != nil || fs.Type != procMagic || syscall.Fstat(fd, &st) != nil ||
		st.Ino != procRootInode {
		_ = syscall.Close(fd)
		return -1, false
	}
	return fd, true
}

// open opens a file of the procfs itself: where a container has mounted something over it, that is not followed.
func open(proc int, path string, flags int) (fd int, ok bool) {
	name, err := syscall.BytePtrFromString(path)
	if err != nil {
		return -1, false
	}
	how := struct{ flags, mode, resolve uint64 }{uint64(flags | syscall.O_CLOEXEC), 0, noXDev | noMagicLinks}
	n, _, errno := syscall.Syscall6(sysOpenat2, uintptr(proc), uintptr(unsafe.Pointer(name)),
		uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
	return int(n), errno == 0
}

// secondThread is the number, in the pid namespace of the procfs, of the oldest thread but the first; empty for none.
func secondThread(proc int) string {
	fd, ok := open(proc, "self/task", syscall.O_RDONLY|syscall.O_DIRECTORY)
	if !ok {
		return ""
	}
	defer syscall.Close(fd)
	var buf [512]byte
	n, err := syscall.Getdents(fd, buf[:])
	if err != nil {
		return ""
	}
	names := make([]string, 0, 4)
	_, _, names = syscall.ParseDirent(buf[:n], 2, names) // without "." and ".."
	if len(names) < 2 {
		return ""
	}
	return names[1]
}
