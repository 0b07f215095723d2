package spawn

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/rawfork"
	"github.com/handfast/handfast/syncproto/container"
)

// The profiles of package syncproto that a child is made for, and the word of its command line that tells it which.
const (
	profileInit  = "init"
	profileSetns = "setns"
)

// join is one setns(2) of the child: by a namespace's file, or by the target's pidfd.
type join struct {
	Kinds []string
	Path  string // empty: the target's
}

// String is the join in one line.
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

// bare reports whether the child begins by a bare fork, as a process of one thread.
func (p *plan) bare() bool {
	return len(p.Joins) > 0 || p.Helpers || p.Time != nil || p.Profile == profileSetns
}

// enters reports whether the child joins a namespace of this kind.
func (p *plan) enters(kind string) bool {
	return slices.ContainsFunc(p.Joins, func(j join) bool { return slices.Contains(j.Kinds, kind) })
}

// hasUser reports whether the child is in a user namespace that is not the caller's.
func (p *plan) hasUser() bool { return len(p.UIDMap) > 0 || p.enters(container.NSUser) }

// kinds are all that there are, in the order in which they are joined where it makes no difference.
var kinds = [...]string{
	container.NSCgroup, container.NSIPC, container.NSUTS, container.NSNetwork, container.NSPid, container.NSTime,
	container.NSMount, container.NSUser,
}

// target plans a child that joins a running process.
func (p *plan) target(cfg *Config, privileged bool) error {
	t := cfg.Target
	switch {
	case t.PIDFD == nil:
		return errors.New("target: there is no pidfd")
	case len(cfg.Namespaces)+len(cfg.UIDMappings)+len(cfg.GIDMappings)+len(cfg.TimeOffsets) > 0:
		return errors.New("target: a child that joins a process has its namespaces, and can be given none besides")
	case cfg.Gate != "":
		return errors.New("target: a child that joins a process waits at no gate")
	}
	if err := cfg.Container.checkJoining(); err != nil {
		return err
	}
	for i, k := range t.Kinds {
		if cloneFlag(k) == 0 {
			return fmt.Errorf("target: namespace %q is of no kind that Linux has", k)
		}
		if slices.Contains(t.Kinds[:i], k) {
			return fmt.Errorf("target: namespace %q stands twice", k)
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

// joins moves what only a process of one thread can do, or can do only after it has entered a user namespace, from the
// cloning thread to the child.
func (p *plan) joins(cfg *Config) error {
	path := map[string]string{}
	for _, n := range cfg.Namespaces {
		if n.Path != "" && n.Kind != container.NSMount { // that one is joined after the execution
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

// second reports whether the one that joins makes the child as a second process: a pid namespace holds only the
// children of who has entered it, and what is made new shall belong to the user namespace that was entered.
//
// Likewise a time namespace: who makes one is no member of it before its next execution, and before Linux 6.0 never,
// time_namespaces(7).
func (p *plan) second() bool {
	return p.enters(container.NSPid) || len(p.Joins) > 0 && p.Cloneflags != 0 || p.Time != nil
}

// firstFlags are the new namespaces of the process that this one makes; where there is a second one, they are that
// one's, but for a user namespace that must be entered before another one is made.
func (p *plan) firstFlags() uintptr {
	switch {
	case p.Time != nil:
		return p.Cloneflags & unix.CLONE_NEWUSER
	case p.second():
		return 0
	}
	return p.Cloneflags
}

// mapped reports whether the child waits until the mappings of its new user namespace are written, and where: the
// second process, if that one makes it.
func (p *plan) mapped() (first, second bool) {
	if len(p.UIDMap) == 0 {
		return false, false
	}
	first = !p.second() || p.Time != nil
	return first, !first
}

// numbers are the descriptors of a child on its way, beside those that it will have. From rest on everything is closed
// at its first step, and everything below is open.
type numbers struct{ files, exe, alive, joins, root, word, rest int }

func (p *plan) numbers(files int) numbers {
	n := numbers{files: files, exe: files, alive: files + 1, joins: files + 2}
	n.root = n.joins + len(p.Joins)
	n.word = n.root
	if p.Chroot {
		n.word++
	}
	n.rest = n.word
	if first, second := p.mapped(); first || second {
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

// program is what the child does until it executes.
func (p *plan) program(s sources) (*rawfork.Program, error) {
	n := p.numbers(len(s.files))
	prog := &rawfork.Program{}
	// The caller's mask is not the child's to keep, signal(7).
	none := rawfork.Keep(prog, &[2]uint64{})
	prog.Call("unblock all signals", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, none, 0, signalSetSize())
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
	// From here on nothing of the host is open in it but what it was given.
	prog.CloseFrom(n.rest)
	first, second := p.mapped()
	// CVE-2016-9962: nobody in the container may look into it on its way in. But what is hidden belongs to root in
	// /proc, and a plain user could not write its mappings: it hides when they are written.
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
	if p.second() {
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

// signalSetSize is the size of the kernel's sigset_t in bytes.
func signalSetSize() uintptr {
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		return 16
	}
	return 8
}

func notDumpable(prog *rawfork.Program) {
	prog.Call("prctl PR_SET_DUMPABLE", unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0)
}

// await waits until the mappings are written, and becomes the root that they give.
func (p *plan) await(prog *rawfork.Program, n numbers) {
	prog.Await(n.word)
	if p.SetGroups {
		prog.Call("setgroups to none", unix.SYS_SETGROUPS, 0, 0)
	}
	prog.Call("setresgid 0", unix.SYS_SETRESGID, 0, 0, 0)
	prog.Call("setresuid 0", unix.SYS_SETRESUID, 0, 0, 0)
}

// unshareTime makes a time namespace for who comes after this process, and writes its offsets. The file is opened at
// the lowest number that is free, which is known: everything below is open.
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

// enter joins the namespaces. Where a user namespace is among them, what the caller's own privileges reach is joined
// before it, for inside they count no more; what only its owner may join comes after.
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
		// What it makes and opens from here on is the container's root's.
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

// none leaves an id as it is, setresgid(2).
const none = ^uintptr(0)

// overflow is nobody's group, /proc/sys/kernel/overflowgid.
const overflow = 65534

// hide makes the real and the effective group two different ones. execve(2) makes such a process not dumpable (kernel
// fs/exec.c, begin_new_exec), where it would otherwise undo what prctl(2) has done, and leave a moment for others
// before the new program can do it again. In a user namespace they differ already, unless its root is the caller
// itself.
func (p *plan) hide(prog *rawfork.Program) {
	if !p.enters(container.NSUser) {
		prog.Call("setresgid", unix.SYS_SETRESGID, overflow, 0, 0)
	}
}
