package faults

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Available reports whether Run can trace on this architecture.
const Available = true

// Errnos returns the errors, from its manual page, with which a sweep makes the named call fail.
func Errnos(name string) []unix.Errno {
	for _, calls := range []map[uint64]changing{table, others} {
		for _, c := range calls {
			if c.name == name {
				return c.fails
			}
		}
	}
	return nil
}

// Run runs the command to its end, with the fault at the chosen call of the command or of one of its processes.
// Processes that outlive the command are detached and continue. The command's streams must be files or nil, because
// nothing copies them. Run sets cmd.Process but not cmd.ProcessState. An error from Run is about the tracing
// itself.
func Run(cmd *exec.Cmd, at At, f Fault) (Report, error) {
	r := &run{at: at, fault: f, tracees: map[int]*tracee{}, counts: map[int]int{}}
	done := make(chan error)
	go r.trace(cmd, done)
	err := <-done
	return r.report, err
}

// trace runs the command on a thread of its own, the tracer. The thread is never unlocked and so ends with this
// goroutine. That detaches the remaining tracees (ptrace(2), "If the tracer dies").
func (r *run) trace(cmd *exec.Cmd, done chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// Go never ends the first thread of the process. While this goroutine holds it, a new goroutine gets
		// another.
		held := make(chan error)
		go r.trace(cmd, held)
		err := <-held
		runtime.UnlockOSThread()
		done <- err
		return
	}
	done <- r.run(cmd)
}

// run is the state of a run. Everything in it happens on one thread.
type run struct {
	at      At
	fault   Fault
	report  Report
	main    int // process of the command
	begun   bool
	tracees map[int]*tracee // by thread ID
	counts  map[int]int     // calls of each process that At describes
}

// tracee is one traced thread.
type tracee struct {
	tid  int
	fail unix.Errno // the result of the current call; zero: the kernel's result
}

const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK |
	unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXEC

func (r *run) run(cmd *exec.Cmd) error {
	// PTRACE_SEIZE, with which new processes can be distinguished from stopped ones, needs an existing process: a shell
	// stops itself, and executes the command when it continues.
	path, args := cmd.Path, cmd.Args
	cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `kill -STOP $$; exec "$0" "$@"`, path}, args[1:]...)
	if err := cmd.Start(); err != nil {
		return err
	}
	r.main = cmd.Process.Pid
	defer func() { _ = cmd.Wait() }() // closes what cmd has opened; the process was waited for here
	var ws unix.WaitStatus
	if _, err := unix.Wait4(r.main, &ws, unix.WUNTRACED, nil); err != nil || !ws.Stopped() {
		return fmt.Errorf("the shell that executes the command did not stop: status %#x: %v", ws, err)
	}
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(r.main), 0, options, 0, 0); errno != 0 {
		_ = cmd.Process.Kill()
		return os.NewSyscallError("ptrace PTRACE_SEIZE", errno)
	}
	if err := unix.Kill(r.main, unix.SIGCONT); err != nil {
		return err
	}
	var hung atomic.Bool
	timer := time.AfterFunc(Patience, func() {
		hung.Store(true)
		_ = unix.Kill(r.main, unix.SIGKILL)
	})
	err := r.loop()
	timer.Stop()
	r.report.Hung = hung.Load()
	for tid := range r.tracees {
		if r.group(tid) == tid {
			r.report.Left = append(r.report.Left, tid)
		}
	}
	return err
}

// loop handles events until the command has ended.
func (r *run) loop() error {
	for {
		var ws unix.WaitStatus
		// Without __WNOTHREAD, wait4 would reap children of other tests.
		tid, err := unix.Wait4(-1, &ws, unix.WALL|unix.WNOTHREAD, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("wait4", err)
		}
		if ws.Exited() || ws.Signaled() {
			delete(r.tracees, tid)
			if tid == r.main {
				r.report.Status = ws
				return nil
			}
			continue
		}
		t := r.tracees[tid]
		if t == nil {
			t = &tracee{tid: tid}
			r.tracees[tid] = t
		}
		if err := r.stopped(t, ws); err != nil && !errors.Is(err, unix.ESRCH) { // ESRCH: it was killed
			return err
		}
	}
}

// stopped handles the stop of a thread and lets it continue.
func (r *run) stopped(t *tracee, ws unix.WaitStatus) error {
	signal := int(ws.StopSignal())
	switch event := int(ws) >> 16; {
	case signal == int(unix.SIGTRAP)|0x80:
		if err := r.syscall(t); err != nil {
			return err
		}
		signal = 0
	case event == unix.PTRACE_EVENT_STOP && signal != int(unix.SIGTRAP):
		// This is a stop for job control.
		_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_LISTEN, uintptr(t.tid), 0, 0, 0, 0)
		return ignoreZero(errno)
	case event != 0:
		r.begun = r.begun || event == unix.PTRACE_EVENT_EXEC
		signal = 0
	}
	return unix.PtraceSyscall(t.tid, signal)
}

func ignoreZero(errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

// syscallInfo is struct ptrace_syscall_info of ptrace(2).
type syscallInfo struct {
	op   uint8
	_    [3]uint8
	arch uint32
	ip   uint64
	sp   uint64
	nr   uint64 // at an exit, this is the result
	args [6]uint64
}

// syscall handles the entry to a system call or the exit from one.
func (r *run) syscall(t *tracee) error {
	if !r.begun {
		return nil
	}
	var info syscallInfo
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(t.tid), unsafe.Sizeof(info),
		uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return errno
	}
	if info.op == unix.PTRACE_SYSCALL_INFO_EXIT && t.fail != 0 {
		return t.fails()
	}
	if info.op != unix.PTRACE_SYSCALL_INFO_ENTRY {
		return nil
	}
	call, ok := r.call(t, &info)
	if !ok || !r.at.matches(call) {
		return nil
	}
	r.report.Calls = append(r.report.Calls, call)
	n := len(r.report.Calls)
	if r.at.Each {
		process := r.group(t.tid)
		r.counts[process]++
		n = r.counts[process]
	}
	if n != r.at.N || r.fault == (Fault{}) {
		return nil
	}
	if r.report.Hit == nil {
		r.report.Hit = &call
	}
	if r.fault.kill {
		return unix.Kill(r.group(t.tid), unix.SIGKILL)
	}
	t.fail = r.fault.errno
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(t.tid, &regs); err != nil {
		return err
	}
	regs.Orig_rax = ^uint64(0) // no call: the kernel goes on to its exit
	return unix.PtraceSetRegs(t.tid, &regs)
}

// fails sets the result of the call that was skipped.
func (t *tracee) fails() error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(t.tid, &regs); err != nil {
		return err
	}
	regs.Rax = uint64(-int64(t.fail))
	t.fail = 0
	return unix.PtraceSetRegs(t.tid, &regs)
}

// call describes a call that is about to be made. ok is false if the call changes nothing.
func (r *run) call(t *tracee, info *syscallInfo) (c Call, ok bool) {
	row, known := table[info.nr]
	if !known && r.at.Any {
		row, known = others[info.nr]
	}
	if !known {
		return c, false
	}
	c = Call{Name: row.name, PID: t.tid, Own: r.group(t.tid) == r.main}
	switch row.path {
	case first:
		c.Path = t.text(info.args[0])
	case second:
		c.Path = t.text(info.args[1])
	case descriptor:
		c.Path, _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", t.tid, int32(info.args[0])))
	case numbers:
		c.Path = strconv.Itoa(int(int32(info.args[0])))
		if info.args[1] < 1<<16 { // not an address
			c.Path += " " + strconv.Itoa(int(info.args[1]))
		}
	}
	return c, r.at.Any || row.only == nil || row.only(t, info.args, c.Path)
}

// group returns the process of a thread.
func (r *run) group(tid int) int {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/status")
	if err != nil {
		return tid
	}
	_, rest, _ := bytes.Cut(data, []byte("\nTgid:"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	pid, err := strconv.Atoi(string(bytes.TrimSpace(line)))
	if err != nil {
		return tid
	}
	return pid
}

// text returns a string in the thread's memory, up to 4096 bytes.
func (t *tracee) text(addr uint64) string {
	var out []byte
	for len(out) < 4096 {
		word := make([]byte, 8)
		if n, err := unix.PtracePeekData(t.tid, uintptr(addr)+uintptr(len(out)), word); err != nil || n == 0 {
			break
		}
		if i := bytes.IndexByte(word, 0); i >= 0 {
			return string(append(out, word[:i]...))
		}
		out = append(out, word...)
	}
	return string(out)
}

// word returns eight bytes of the thread's memory, or zero if there is none at addr.
func (t *tracee) word(addr uint64) uint64 {
	word := make([]byte, 8)
	_, _ = unix.PtracePeekData(t.tid, uintptr(addr), word)
	return binary.LittleEndian.Uint64(word)
}
