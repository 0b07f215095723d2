package spawn

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/rawfork"
	"github.com/handfast/handfast/syncproto/container"
)

// The names of the profiles, which are also the child's first argument.
const (
	profileInit  = "init"
	profileSetns = "setns"
)

// join is a setns(2) of the child, with a namespace's file or with the target's pidfd.
type join struct {
	Kinds []string
	Path  string // empty: the target's
}

// String returns the join in one line.
func (j join) String() string {
	s := fmt.Sprint(j.Kinds)
	if j.Path == "" {
		return s + " of the target"
	}
	return s + " " + j.Path
}

func (j join) flags() (flags uintptr) {
	for _, k := range j.Kinds {
		flags |= cloneFlag(k)
	}
	return flags
}

// needsBareFork reports whether the child must be made by a bare fork, to be a process of one thread at first.
func (p *plan) needsBareFork() bool {
	return len(p.Joins) > 0 || p.Helpers || p.Time != nil || p.Profile == profileSetns
}

// enters reports whether the child joins a namespace of this kind.
func (p *plan) enters(kind string) bool {
	return slices.ContainsFunc(p.Joins, func(j join) bool { return slices.Contains(j.Kinds, kind) })
}

// hasUser reports whether the child is in a user namespace that is not the caller's.
func (p *plan) hasUser() bool { return len(p.UIDMap) > 0 || p.enters(container.NSUser) }

// kinds lists all kinds of namespaces, in the order in which they are joined if it does not matter.
var kinds = [...]string{
	container.NSCgroup, container.NSIPC, container.NSUTS, container.NSNetwork, container.NSPid, container.NSTime,
	container.NSMount, container.NSUser,
}

// planTarget plans a child that joins a running process.
func (p *plan) planTarget(cfg *Config, privileged bool) error {
	t := cfg.Target
	switch {
	case t.PIDFD == nil:
		return errors.New("target: the pidfd is missing")
	case len(cfg.Namespaces)+len(cfg.UIDMappings)+len(cfg.GIDMappings)+len(cfg.TimeOffsets) > 0:
		return errors.New("target: a child that joins a process gets its namespaces, and cannot have others")
	case cfg.Gate != "":
		return errors.New("target: a child that joins a process cannot have a gate")
	}
	if err := cfg.Container.checkJoining(); err != nil {
		return err
	}
	for i, k := range t.Kinds {
		if cloneFlag(k) == 0 {
			return fmt.Errorf("target: namespace %q is not a kind of namespace", k)
		}
		if slices.Contains(t.Kinds[:i], k) {
			return fmt.Errorf("target: namespace %q occurs twice", k)
		}
	}
	user := slices.Contains(t.Kinds, container.NSUser)
	all := join{}
	for _, k := range kinds {
		if !slices.Contains(t.Kinds, k) {
			continue
		}
		p.Namespaces = append(p.Namespaces, container.Namespace{Kind: k, How: container.NSCreated})
		if user {
			p.Joins = append(p.Joins, join{Kinds: []string{k}})
		}
		all.Kinds = append(all.Kinds, k)
	}
	if !user && len(all.Kinds) > 0 {
		p.Joins = []join{all} // one call for all of them
	}
	p.Chroot = t.Root != nil
	p.Hidden = privileged || user
	return nil
}

// planJoins moves the joins that only a process of one thread can make, or can make only after it has entered a user
// namespace, from the cloning thread to the child.
func (p *plan) planJoins(cfg *Config) error {
	path := map[string]string{}
	for _, n := range cfg.Namespaces {
		if n.Path != "" && n.Kind != container.NSMount { // joined after the execution
			path[n.Kind] = n.Path
		}
	}
	if path[container.NSUser] == "" && path[container.NSTime] == "" {
		return nil
	}
	p.Thread = slices.DeleteFunc(p.Thread, func(s threadStep) bool { return s.Path != "" })
	for _, k := range kinds {
		if path[k] != "" {
			p.Joins = append(p.Joins, join{Kinds: []string{k}, Path: path[k]})
		}
	}
	p.Hidden = path[container.NSUser] != ""
	return nil
}

// needsSecondFork reports whether the forked process, once it has joined namespaces, must fork again to make the child:
// after setns(2) only the children of a process are in the pid namespace, and new namespaces are to belong to the user
// namespace that was joined.
//
// The same holds for a new time namespace: its creator becomes a member only with its next execution, and before Linux
// 6.0 never, time_namespaces(7).
func (p *plan) needsSecondFork() bool {
	return p.enters(container.NSPid) || len(p.Joins) > 0 && p.Cloneflags != 0 || p.Time != nil
}

// firstFlags returns the clone flags of the first fork. If there is a second fork, that one creates the new namespaces,
// except for a user namespace that is to own a new time namespace.
func (p *plan) firstFlags() uintptr {
	switch {
	case p.Time != nil:
		return p.Cloneflags & unix.CLONE_NEWUSER
	case p.needsSecondFork():
		return 0
	}
	return p.Cloneflags
}

// awaitsMapping reports whether the first or the second forked process waits for the mappings of the new user
// namespace: the one that is created in it.
func (p *plan) awaitsMapping() (first, second bool) {
	if len(p.UIDMap) == 0 {
		return false, false
	}
	first = !p.needsSecondFork() || p.Time != nil
	return first, !first
}

// numbers are the descriptors that a forked child uses beside those that it keeps. Its first step closes everything
// from rest on; all numbers below are in use.
type numbers struct{ files, exe, alive, joins, root, word, rest int }

func (p *plan) numbers(files int) numbers {
	n := numbers{files: files, exe: files, alive: files + 1, joins: files + 2}
	n.root = n.joins + len(p.Joins)
	n.word = n.root
	if p.Chroot {
		n.word++
	}
	n.rest = n.word
	if first, second := p.awaitsMapping(); first || second {
		n.rest++
	}
	return n
}

// sources are descriptors of this process, all above the numbers that the child uses.
type sources struct {
	files []int // those that the child keeps, in their order
	exe   int
	joins []int // of each of the plan's Joins
	root  int   // where the plan has Chroot
}

// sharedProgram returns the list of what a child does until it executes its program if it needs no process of its own
// before: it puts files in place, of which the last is the program.
func (p *plan) sharedProgram(files []int) (*rawfork.Program, error) {
	prog := &rawfork.Program{}
	prog.Call("chdir /", unix.SYS_CHDIR, rawfork.Keep(prog, &[2]byte{'/'}))
	prog.Files(files)
	return prog, prog.ExecutePath("/proc/self/fd/"+strconv.Itoa(len(files)-1), p.Argv, p.Env)
}

// program returns the list of what the child does until it executes its program.
func (p *plan) program(s sources) (*rawfork.Program, error) {
	n := p.numbers(len(s.files))
	prog := &rawfork.Program{}
	for i, fd := range s.files {
		prog.Dup2(fd, i, false)
	}
	prog.Dup2(s.exe, n.exe, true)
	for i, fd := range s.joins {
		prog.Dup2(fd, n.joins+i, true)
	}
	if p.Chroot {
		prog.Dup2(s.root, n.root, true)
	}
	// From here on nothing of the host is open in the child except what it was given.
	prog.CloseFrom(n.rest)
	first, second := p.awaitsMapping()
	// CVE-2016-9962: processes in the container must not trace the child on its way in. But the files in /proc of a
	// process that is not dumpable belong to root, so a plain user could not write its mappings: then it becomes not
	// dumpable after they are written.
	hidden := len(p.UIDMap) == 0 || p.SetGroups && !p.Helpers
	if hidden {
		notDumpable(prog)
	}
	if p.Time != nil {
		p.unshareTime(prog, n)
	}
	if first {
		p.await(prog, n)
	}
	if first && !hidden {
		notDumpable(prog)
	}
	p.enter(prog, n)
	if p.needsSecondFork() {
		prog.Fork(p.Cloneflags &^ p.firstFlags())
	}
	if second {
		p.await(prog, n)
		if !hidden {
			notDumpable(prog)
		}
	}
	if len(p.Joins) > 0 || p.Chroot {
		prog.CloseFrom(n.joins)
	}
	if p.Hidden {
		p.hide(prog)
	}
	return prog, prog.Execute(n.exe, p.Argv, p.Env)
}

func notDumpable(prog *rawfork.Program) {
	prog.Call("prctl PR_SET_DUMPABLE", unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0)
}

// await waits until the mappings are written, and becomes root of the user namespace.
func (p *plan) await(prog *rawfork.Program, n numbers) {
	prog.Await(n.word)
	if p.SetGroups && !p.KeepGroups {
		prog.Call("setgroups to none", unix.SYS_SETGROUPS, 0, 0)
	}
	prog.Call("setresgid 0", unix.SYS_SETRESGID, 0, 0, 0)
	prog.Call("setresuid 0", unix.SYS_SETRESUID, 0, 0, 0)
}

// unshareTime creates a time namespace for the children of this process, and writes its offsets. The file is opened
// with the lowest free number, which is known because all numbers below are in use.
func (p *plan) unshareTime(prog *rawfork.Program, n numbers) {
	prog.Call("make a time namespace", unix.SYS_UNSHARE, unix.CLONE_NEWTIME)
	if *p.Time == "" {
		return
	}
	path, text := append([]byte("/proc/self/timens_offsets"), 0), []byte(*p.Time)
	prog.Keep(path, text)
	at := unix.AT_FDCWD
	prog.Call("open /proc/self/timens_offsets", unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(&path[0])),
		unix.O_WRONLY|unix.O_CLOEXEC)
	prog.Call(fmt.Sprintf("write the time offsets %q", text), unix.SYS_WRITE, uintptr(n.rest),
		uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)))
	prog.Close(n.rest)
}

// enter joins the namespaces. If a user namespace is among them, those that the caller's own privileges reach are
// joined before it, because they do not count inside; the others, which need the rights of its owner, after it.
func (p *plan) enter(prog *rawfork.Program, n numbers) {
	user := p.enters(container.NSUser)
	var places []int
	for i, j := range p.Joins {
		text := "join the namespaces " + j.String()
		switch {
		case !user:
			prog.Setns(n.joins+i, j.flags(), text)
		case j.Kinds[0] != container.NSUser:
			places = append(places, prog.Try(text, unix.SYS_SETNS, uintptr(n.joins+i), j.flags()))
		default: // the last one
			prog.Setns(n.joins+i, j.flags(), text)
		}
	}
	if user {
		// What the child creates and opens from here on belongs to the container's root.
		prog.Call("become group 0 of the user namespace", unix.SYS_SETRESGID, none, 0, 0)
		prog.Call("become user 0 of the user namespace", unix.SYS_SETRESUID, 0, 0, 0)
	}
	for _, place := range places {
		prog.Again(place)
	}
	if p.Chroot {
		prog.Call("fchdir to the target's root", unix.SYS_FCHDIR, uintptr(n.root))
		prog.Call("chroot to the target's root", unix.SYS_CHROOT, rawfork.Keep(prog, &[2]byte{'.'}))
	}
	prog.Call("chdir /", unix.SYS_CHDIR, rawfork.Keep(prog, &[2]byte{'/'}))
}

// none leaves an id unchanged, setresgid(2).
const none = ^uintptr(0)

// overflow is the group of unmapped ids, /proc/sys/kernel/overflowgid.
const overflow = 65534

// hide makes the real and the effective group id differ. execve(2) then makes the process not dumpable (kernel
// fs/exec.c, begin_new_exec). Otherwise it would undo the prctl(2), and the process could be traced until the new
// program repeats that. In a user namespace the ids differ already, unless its root is the caller itself.
func (p *plan) hide(prog *rawfork.Program) {
	if !p.enters(container.NSUser) {
		prog.Call("setresgid", unix.SYS_SETRESGID, overflow, 0, 0)
	}
}
