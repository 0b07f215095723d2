// Package sysmon reduces the cost of the monitor thread of Go's runtime in short commands.
//
// The monitor (sysmon, runtime/proc.go) checks the scheduler's processors every 20 µs, and less often only after some
// milliseconds without work. In a command that runs for less than ten milliseconds it wakes up a hundred times, each
// time on a processor that the start of the container could use. When a thread really wakes up depends on its timer
// slack (PR_SET_TIMERSLACK(2const)), and that of another thread can be set through procfs (/proc/TID/timerslack_ns,
// Linux fs/proc/base.c).
//
// It only uses package syscall, so that it can be called before most of the program's packages are initialised: see
// package early.
package sysmon

import (
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// Variable is the environment variable in which a process that has changed a timer slack passes its child the one that
// the child must have: see Env.
const Variable = "HANDFAST_TIMERSLACK"

// Slack is the monitor's timer slack after Relax, in nanoseconds: the longest sleep of the monitor in the runtime
// itself. A goroutine that waits while another is in a long system call may wait that much longer.
const (
	Slack     = 10_000_000
	slackText = "10000000"
)

// own is the timer slack with which this process was started, once Relax has changed another thread's; else zero.
var own uintptr

// Constants of <linux/prctl.h>, <linux/magic.h> and <linux/openat2.h>.
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

// Relax limits the monitor to a hundred wake-ups per second. It needs CAP_SYS_NICE, Linux 5.6, and procfs at /proc, and
// changes nothing without them. Further calls do nothing. The monitor is the first thread that the runtime creates, and
// the kernel lists threads in that order, as long as no goroutine that is locked to its thread has ended.
//
// Before that, it sets the calling thread's slack to the value of Variable, and removes the variable.
func Relax() {
	if own != 0 {
		return
	}
	slack, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prGetTimerslack, 0, 0, 0, 0, 0)
	if errno != 0 {
		return
	}
	if told := slackFromEnv(); told != 0 && told != slack {
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
	// Not below self/task: only a process's directory has the file, and /proc/TID is one for any thread.
	fd, ok := open(proc, monitor+"/timerslack_ns", syscall.O_WRONLY)
	if !ok {
		return
	}
	defer syscall.Close(fd)
	if _, err := syscall.Write(fd, []byte(slackText)); err == nil {
		own = slack
	}
}

// slackFromEnv returns the timer slack in Variable, or zero.
func slackFromEnv() uintptr {
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

// Own returns the timer slack with which this process was started, in nanoseconds, if Relax has changed that of another
// thread; otherwise 0.
func Own() uint { return uint(own) }

// Env returns the environment for a child that calls Relax: the timer slack with which this process was started, if
// Relax has changed that of another thread. The child has no other way to know it. A process inherits the slack of the
// thread that creates it, a thread that the monitor has created has the monitor's, and a goroutine may run on any of
// them at its clone(2). Locking it to its thread would cost another thread, the runtime's template.
func Env() []string {
	if own == 0 {
		return nil
	}
	return []string{Variable + "=" + strconv.FormatUint(uint64(own), 10)}
}

// Forking makes sure that the next process that the calling goroutine creates has the timer slack with which this
// process was started, for any program; for one of our own see Env. The caller calls done when the process exists.
func Forking() (done func()) {
	if own == 0 {
		return func() {}
	}
	runtime.LockOSThread() // it may change threads before the fork otherwise
	_, _, _ = syscall.RawSyscall6(syscall.SYS_PRCTL, prSetTimerslack, own, 0, 0, 0, 0)
	return runtime.UnlockOSThread
}

// openProc opens the root of a procfs, and fails if something else is mounted there.
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

// open opens a file of the procfs itself, and fails if something is mounted over it.
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

// secondThread returns the number, in the pid namespace of the procfs, of the oldest thread except the first; empty if
// there is none.
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
