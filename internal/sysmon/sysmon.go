// Package sysmon keeps the monitor thread of Go's runtime from costing a short command more than it is worth.
//
// The monitor (sysmon, runtime/proc.go) looks at the processors of the scheduler every 20 µs, and less often only once
// it has found nothing to do for some milliseconds: in a command that lives for less than ten it wakes a hundred times,
// each time on a processor that the container's own start could have had. How often it really wakes is the kernel's to
// decide within the thread's timer slack (PR_SET_TIMERSLACK(2const)), which for another thread is set through procfs
// (proc_pid_timerslack_ns, Linux fs/proc/base.c).
package sysmon

import (
	"encoding/binary"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Slack is the monitor's timer slack after Relax, in nanoseconds: what the runtime itself lets it sleep when nothing
// happens. A goroutine that others wait for behind a long system call may wait that much longer.
const Slack = 10_000_000

// own is the timer slack that this process was started with, once Relax has changed another thread's; else zero.
var own uintptr

// Relax lets the monitor wake a hundred times a second at most. It needs CAP_SYS_NICE and procfs at /proc, and changes
// nothing without them. It is called before anything else has made a thread: the monitor is the first that the runtime
// makes, and the kernel lists threads in that order.
func Relax() {
	slack, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_GET_TIMERSLACK, 0, 0, 0, 0, 0)
	if errno != 0 || slack >= Slack {
		return
	}
	proc, err := openProc()
	if err != nil {
		return
	}
	defer unix.Close(proc)
	monitor := secondThread(proc)
	if monitor == 0 {
		return
	}
	// Not below self/task: the file stands only where a process's directory is, and /proc/TID is one for any thread.
	fd, err := unix.Openat(proc, strconv.Itoa(monitor)+"/timerslack_ns", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, strconv.AppendInt(nil, Slack, 10)); err == nil {
		own = slack
	}
}

// Forking sees to it that a process which the calling goroutine makes next has the timer slack that this process was
// started with: a thread that the monitor has made has the monitor's. Done is called when the process has been made.
//
// The goroutine is locked to its thread only where that is such a thread, for the first lock of a process costs another
// thread, the runtime's template.
func Forking() (done func()) {
	if own == 0 {
		return func() {}
	}
	slack, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_GET_TIMERSLACK, 0, 0, 0, 0, 0)
	if errno != 0 || slack == own {
		return func() {}
	}
	runtime.LockOSThread()
	_, _, _ = unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, own, 0, 0, 0, 0)
	return runtime.UnlockOSThread
}

// openProc opens procfs, and nothing else that may be mounted in its place.
func openProc() (int, error) {
	fd, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	var st unix.Statfs_t
	if err = unix.Fstatfs(fd, &st); err == nil && st.Type != unix.PROC_SUPER_MAGIC {
		err = unix.ENOTDIR
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// secondThread is the number, in the pid namespace of the procfs, of the oldest thread but the first; zero for none.
func secondThread(proc int) int {
	fd, err := unix.Openat(proc, "self/task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	var buf [512]byte
	n, err := unix.Getdents(fd, buf[:])
	if err != nil {
		return 0
	}
	threads := 0
	for list := buf[:n]; len(list) > 0; {
		name, rest, ok := entry(list)
		if !ok {
			return 0
		}
		list = rest
		tid, err := strconv.Atoi(name)
		if err != nil {
			continue // "." and ".."
		}
		if threads++; threads == 2 {
			return tid
		}
	}
	return 0
}

// entry takes one linux_dirent64 off a list, getdents64(2).
func entry(list []byte) (name string, rest []byte, ok bool) {
	const start = int(unsafe.Offsetof(unix.Dirent{}.Name))
	if len(list) < start {
		return "", nil, false
	}
	size := int(binary.NativeEndian.Uint16(list[unsafe.Offsetof(unix.Dirent{}.Reclen):]))
	if size < start || size > len(list) {
		return "", nil, false
	}
	text := list[start:size]
	for i, c := range text {
		if c == 0 {
			text = text[:i]
			break
		}
	}
	return string(text), list[size:], true
}
