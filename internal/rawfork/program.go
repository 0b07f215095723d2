package rawfork

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kind is how the child treats a call.
type kind int32

const (
	must  kind = iota // an error ends the child
	try               // EPERM is recorded, any other error ends the child
	again             // only made if the call that it repeats has failed with EPERM
	fork              // clone(2): the new child continues with the list, its caller ends
	await             // read one byte: end of file ends the child
	execute
)

// call is one system call. The child reads and writes it as plain memory.
type call struct {
	trap  uintptr
	args  [6]uintptr
	kind  kind
	of    int32   // again: the place of the call that it repeats
	errno uintptr // try: the call's error, written by the child
	text  string  // a description for people; the child does not use it
}

// cloneArgs is struct clone_args of clone(2), with the size of Linux 5.7.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// call returns the system call with these arguments: clone3(2), or clone(2) if three is false, which only passes the
// arguments that both have.
func (a *cloneArgs) call(three bool) (trap uintptr, args [3]uintptr) {
	if three {
		return unix.SYS_CLONE3, [3]uintptr{uintptr(unsafe.Pointer(a)), unsafe.Sizeof(*a)}
	}
	// clone(2) has one pointer for the parent's copy of the pid and for the pidfd.
	args = [3]uintptr{uintptr(a.flags | a.exitSignal), 0, uintptr(a.parentTID | a.pidfd)}
	if runtime.GOARCH == "s390x" {
		args[0], args[1] = args[1], args[0] // clone(2), "C library/kernel differences"
	}
	return unix.SYS_CLONE, args
}

// Program is what a child does, in order. Its methods add calls to it, and keep their arguments alive as long as the
// program.
type Program struct {
	calls  []call
	keep   []any
	second *cloneArgs // of Fork, nil without one
	await  bool
	later  bool // the second child is the one that waits
}

func (p *Program) add(c call) int {
	p.calls = append(p.calls, c)
	return len(p.calls) - 1
}

// Call adds a system call that must succeed. Keep what a pointer in its arguments points to.
func (p *Program) Call(text string, trap uintptr, args ...uintptr) { p.put(must, text, trap, args) }

func (p *Program) put(k kind, text string, trap uintptr, args []uintptr) int {
	c := call{trap: trap, kind: k, text: text}
	copy(c.args[:], args)
	return p.add(c)
}

// Try adds a system call that may fail with EPERM, and returns its place for Again. Any other error ends the child.
func (p *Program) Try(text string, trap uintptr, args ...uintptr) (place int) {
	return p.put(try, text, trap, args)
}

// Again repeats the call at place if it has failed with EPERM; this time it must succeed.
func (p *Program) Again(place int) {
	c := p.calls[place]
	c.kind, c.of, c.text = again, int32(place), c.text+" (again)"
	p.add(c)
}

// Keep keeps v alive as long as the program, and returns its address as an argument of a call.
func Keep[T any](p *Program, v *T) uintptr {
	p.keep = append(p.keep, v)
	return uintptr(unsafe.Pointer(v))
}

// Keep keeps memory to which arguments of calls point alive as long as the program.
func (p *Program) Keep(v ...any) { p.keep = append(p.keep, v...) }

// Dup2 adds dup3(2) of the descriptor from to the number to. With cloexec the copy is closed by the execution.
func (p *Program) Dup2(from, to int, cloexec bool) {
	flags := uintptr(0)
	if cloexec {
		flags = unix.O_CLOEXEC
	}
	p.Call(fmt.Sprintf("dup3 to %d", to), unix.SYS_DUP3, uintptr(from), uintptr(to), flags)
}

// Files adds what gives the child the descriptors fds as its numbers 0, 1, 2 and so on, without FD_CLOEXEC. The child
// may have others that are open.
func (p *Program) Files(fds []int) {
	fds = slices.Clone(fds)
	above := max(len(fds), slices.Max(fds)+1)
	for i, fd := range fds {
		if fd < i { // its number is another one's by the time that it is copied
			p.Dup2(fd, above, true)
			fds[i], above = above, above+1
		}
	}
	for i, fd := range fds {
		if fd == i {
			p.Call(fmt.Sprintf("fcntl F_SETFD of %d", i), unix.SYS_FCNTL, uintptr(i), unix.F_SETFD, 0)
		} else {
			p.Dup2(fd, i, false)
		}
	}
}

// CloseFrom adds close_range(2) of every descriptor from first on.
func (p *Program) CloseFrom(first int) {
	p.Call(fmt.Sprintf("close_range from %d", first), unix.SYS_CLOSE_RANGE, uintptr(first), math.MaxUint32, 0)
}

// Close adds close(2).
func (p *Program) Close(fd int) { p.Call(fmt.Sprintf("close %d", fd), unix.SYS_CLOSE, uintptr(fd)) }

// Setns adds setns(2) into the namespaces in flags, by a descriptor of one of them or of a process.
func (p *Program) Setns(fd int, flags uintptr, text string) {
	p.Call(text, unix.SYS_SETNS, uintptr(fd), flags)
}

// Fork adds the creation of the second child: it gets new namespaces for flags, has the same parent, and is in the pid
// namespace that the first one has entered, if any. Only the second child continues with the list.
func (p *Program) Fork(flags uintptr) {
	// Start fills in the arguments of the call.
	p.second = &cloneArgs{flags: uint64(flags) | unix.CLONE_PARENT | unix.CLONE_PARENT_SETTID}
	p.keep = append(p.keep, p.second)
	p.put(fork, "clone", 0, nil)
}

// Await adds a wait for Child.Go at the descriptor fd, whose number is also an option of Start. After a Fork the second
// child waits.
func (p *Program) Await(fd int) {
	p.await, p.later = true, p.second != nil
	p.put(await, "wait for the parent", unix.SYS_READ, []uintptr{uintptr(fd), Keep(p, new([1]byte)), 1})
}

// Execute adds execveat(2) of the file open at fd (O_PATH will do). It is the last call.
func (p *Program) Execute(fd int, argv, env []string) error {
	a, e, err := p.strings(argv, env)
	p.put(execute, "execveat", unix.SYS_EXECVEAT, []uintptr{uintptr(fd), Keep(p, new([1]byte)), a, e, unix.AT_EMPTY_PATH})
	return err
}

// ExecutePath adds execve(2) of the file at a path. It is the last call.
func (p *Program) ExecutePath(path string, argv, env []string) error {
	name, err := syscall.BytePtrFromString(path)
	if err != nil {
		return fmt.Errorf("path of the child's program: %w", err)
	}
	a, e, err := p.strings(argv, env)
	p.put(execute, "execve", unix.SYS_EXECVE, []uintptr{Keep(p, name), a, e})
	return err
}

// strings returns the addresses of the lists of arguments and of variables for an execution.
func (p *Program) strings(argv, env []string) (args, vars uintptr, err error) {
	a, err := syscall.SlicePtrFromStrings(argv)
	if err != nil {
		return 0, 0, fmt.Errorf("arguments of the child: %w", err)
	}
	e, err := syscall.SlicePtrFromStrings(env)
	if err != nil {
		return 0, 0, fmt.Errorf("environment of the child: %w", err)
	}
	p.keep = append(p.keep, a, e)
	return uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&e[0])), nil
}

// String prints one call per line.
func (p *Program) String() string {
	var b strings.Builder
	for _, c := range p.calls {
		switch c.kind {
		case try:
			b.WriteString("try ")
		case again:
			b.WriteString("else ")
		}
		b.WriteString(c.text + "\n")
	}
	return b.String()
}
