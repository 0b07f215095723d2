//go:build amd64 || arm64

package nsinit

import (
	"fmt"
	"path"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/internal/sysmon"
	"github.com/handfast/handfast/syncproto/container"
)

// compile implements Compile.
func compile(profile string, cfg *container.Config) (*smallchild.Program, error) {
	if !smallchild.Available {
		return nil, errNoSmall
	}
	joins, decide := profile == container.SetnsProfile().Name, plan
	if joins {
		decide = planJoin
	}
	steps, err := decide(cfg)
	if err == nil && !joins {
		err = needsWhole(cfg)
	}
	if err != nil {
		return nil, err
	}
	c := newCompiler(cfg)
	c.timerSlack()
	for _, s := range steps {
		compilable, ok := s.(interface{ compile(c *compiler) error })
		if !ok {
			return nil, fmt.Errorf("step %s: %w", s.stage(), ErrWhole)
		}
		c.step = s
		c.Step(func() string { return describe(s) },
			func(call string, e unix.Errno) error { return located(s, callError(cfg, s, call, e)) })
		if mayLast(s) {
			c.CheckParent()
		}
		switch s.(type) {
		case deviceStep, linkStep:
		default:
			c.dirPath = "" // what the step does may be in the way
		}
		if err := compilable.compile(c); err != nil {
			return nil, fmt.Errorf("step %s: %w", describe(s), err)
		}
		if err := c.Err(); err != nil {
			return nil, err
		}
	}
	return c.Program, nil
}

// needsWhole returns an error that names the part of a configuration that needs a whole child, if there is one. It
// checks what does not belong to a single step.
func needsWhole(cfg *container.Config) error {
	for _, n := range cfg.Namespaces {
		if n.How == container.NSJoin {
			return fmt.Errorf("namespace %s, %s: %w", n.Kind, n.How, ErrWhole)
		}
	}
	switch {
	case cfg.MountLabel != "":
		return fmt.Errorf("label of mounts: %w", ErrWhole)
	case mayShare(cfg.Root.Propagation) && !sharesAll(cfg.Root.Propagation):
		return fmt.Errorf("propagation %#x of the root alone: %w", cfg.Root.Propagation, ErrWhole)
	}
	return nil
}

// timerSlack gives the child the timer slack that this process was started with, if the thread that made the child
// may have had a different one.
func (c *compiler) timerSlack() {
	if own := sysmon.Own(); own != 0 {
		c.Call("prctl PR_SET_TIMERSLACK", unix.SYS_PRCTL, smallchild.Int(unix.PR_SET_TIMERSLACK), smallchild.Int(own))
	}
}

// callError returns the error of a whole child for a system call of a step that may fail after a request, when no whole
// child can take over any more.
func callError(cfg *container.Config, s step, call string, e unix.Errno) error {
	switch call {
	case "openat", "openat2":
		call = "open"
	case "umount2":
		call = "umount"
	}
	name := ""
	switch s := s.(type) {
	case readonlyStep:
		name = s.path
	case maskStep:
		name = s.path
	case lateStep:
		name = s.path
	case rootModeStep:
		name = "/"
	case pivotStep:
		switch call {
		case "fchdir", "pivot_root":
			name = cfg.Root.Path
		case "mount_setattr", "umount":
			name = "the old root"
		default:
			name = "/"
		}
	}
	return op(call, name, e)
}

// blame sets the error for a failure of the last instruction, in the words of a whole child.
func (c *compiler) blame(err func(e unix.Errno) error) {
	s := c.step
	c.Blame(func(e unix.Errno) error { return located(s, err(e)) })
}

// says sets the error for a failure of the last instruction by the call and the path that a whole child names.
func (c *compiler) says(call, path string) {
	c.blame(func(e unix.Errno) error { return op(call, path, e) })
}

// compiler builds a program.
type compiler struct {
	*smallchild.Program
	cfg      *container.Config
	step     step              // the step that is being compiled
	root     smallchild.Reg    // the container's root, once stageRootfs is done
	dir      smallchild.Reg    // the directory of the last device or link
	dirPath  string            // its path; empty: dir is not open
	null     smallchild.Reg    // the container's null device, once it is open
	empty    smallchild.Reg    // the mount of the empty directory, once it is made
	onSlash  smallchild.Memory // 1 if the root is mounted on "/", in a user namespace; see child
	masked   bool              // whether null and empty are open
	attached smallchild.Memory // 1 once the empty directory is mounted somewhere
	stat     smallchild.Memory // struct stat of the last fstat
	path     smallchild.Memory // buffer for a path
	program  smallchild.Reg    // the program's path, once it is found
	paths    []string          // the possible paths of the program
	env      []string          // environment of the program, without HOME if noHome is set
	home     smallchild.Memory // the variable HOME, which is written at run time if noHome is set
	noHome   bool
	reports  []report
	// requested says that a request has changed something, so that no whole child can take over any more.
	requested bool
}

// Offsets in struct stat, which differ between architectures, and in struct statx.
const (
	statxAttributes = int(unsafe.Offsetof(unix.Statx_t{}.Attributes))

	statMode = int(unsafe.Offsetof(unix.Stat_t{}.Mode))
	statGID  = int(unsafe.Offsetof(unix.Stat_t{}.Gid))
	statUID  = int(unsafe.Offsetof(unix.Stat_t{}.Uid))
	statRdev = int(unsafe.Offsetof(unix.Stat_t{}.Rdev))
	statSize = int(unsafe.Sizeof(unix.Stat_t{}))
)

func newCompiler(cfg *container.Config) *compiler {
	c := &compiler{Program: smallchild.New(), cfg: cfg}
	c.root, c.dir, c.null, c.empty, c.program = c.Reg(), c.Reg(), c.Reg(), c.Reg(), c.Reg()
	c.stat, c.path = c.Scratch(statSize), c.Scratch(unix.PathMax)
	return c
}

// how returns a struct open_how.
func (c *compiler) how(flags int, resolve uint64) smallchild.Arg {
	return c.Bytes(smallchild.Words(uint64(flags|unix.O_CLOEXEC), 0, resolve), "open_how")
}

const (
	inRoot  = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS
	noLinks = inRoot | unix.RESOLVE_NO_SYMLINKS
	justDir = unix.O_PATH | unix.O_DIRECTORY
)

// open opens a path below the root, as sys.Root does.
func (c *compiler) open(p string, flags int, resolve uint64) *smallchild.Instr {
	return c.Call("openat2", unix.SYS_OPENAT2, smallchild.Val(c.root), c.Str(below(p)), c.how(flags, resolve),
		smallchild.Int(unix.SizeofOpenHow))
}

// below returns a path in the form that openat2(2) takes below a root.
func below(p string) string {
	if p = strings.TrimLeft(path.Clean(p), "/"); p == "" {
		return "."
	}
	return p
}

// makeParents makes the directories above the last component of p and opens the last of them. None of them may be a
// link.
func (c *compiler) makeParents(p string) (dir smallchild.Reg, base string) {
	names := strings.Split(below(p), "/")
	dir = c.root
	for i := range names[:len(names)-1] {
		if c.Err() != nil { // a path of thousands of directories
			break
		}
		c.makeDir(dir, names[i])
		dir = c.Reg()
		c.open("/"+strings.Join(names[:i+1], "/"), justDir, noLinks).Into(dir)
	}
	return dir, names[len(names)-1]
}

// makeDir makes a directory unless it exists already.
func (c *compiler) makeDir(dir smallchild.Reg, name string) {
	there := c.Label()
	c.Call("mkdirat", unix.SYS_MKDIRAT, smallchild.Val(dir), c.Str(name), smallchild.Int(0o755)).On(there, unix.EEXIST)
	c.Place(there)
}

// mkdirAll opens a directory below the root and makes its missing components. A path with links is left to a whole
// child.
func (c *compiler) mkdirAll(p string, into smallchild.Reg) {
	missing, done := c.Label(), c.Label()
	c.open(p, justDir, inRoot).Into(into).On(missing, unix.ENOENT)
	c.Jump(done)
	c.Place(missing)
	dir, base := c.makeParents(p)
	c.makeDir(dir, base)
	c.open(p, justDir, noLinks).Into(into)
	c.Place(done)
}

// directory is mkdirAll for devices and links, of which many in a row are in the same directory: it stays open.
func (c *compiler) directory(p string) smallchild.Reg {
	if p != c.dirPath {
		c.mkdirAll(p, c.dir)
		c.dirPath = p
	}
	return c.dir
}

// createFile opens a file below the root with O_PATH, and makes it if it is missing.
func (c *compiler) createFile(p string, into smallchild.Reg) {
	missing, done, made := c.Label(), c.Label(), c.Label()
	c.open(p, unix.O_PATH, inRoot).Into(into).On(missing, unix.ENOENT)
	c.Jump(done)
	c.Place(missing)
	dir, base := c.makeParents(p)
	c.Call("mknodat", unix.SYS_MKNODAT, smallchild.Val(dir), c.Str(base), smallchild.Int(unix.S_IFREG|0o644),
		smallchild.Int(0)).On(made, unix.EEXIST)
	c.Place(made)
	c.open(p, unix.O_PATH, noLinks).Into(into)
	c.Place(done)
}

// setAttr compiles sys.SetAttr.
func (c *compiler) setAttr(fd smallchild.Arg, p string, recursive bool, set, clear, propagation uint64) {
	flags := 0
	if p == "" {
		flags = unix.AT_EMPTY_PATH
	}
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	clear |= sys.ClearedTimes(set, clear)
	attr := c.Bytes(smallchild.Words(set, clear, propagation, 0), "mount_attr")
	c.Call("mount_setattr", unix.SYS_MOUNT_SETATTR, fd, c.Str(p), smallchild.Int(flags), attr, smallchild.Int(32))
}

// cloneTree compiles sys.CloneTree for a descriptor, or for a path relative to one.
func (c *compiler) cloneTree(fd smallchild.Arg, p string, recursive bool, into smallchild.Reg) *smallchild.Instr {
	flags := unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC
	if p == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	return c.Call("open_tree", unix.SYS_OPEN_TREE, fd, c.Str(p), smallchild.Int(flags)).Into(into)
}

// source compiles source of a whole child. Only in a user namespace does the parent open what this process cannot
// reach.
func (c *compiler) source(p string, recursive bool, into smallchild.Reg) error {
	i := c.cloneTree(smallchild.Int(unix.AT_FDCWD), p, recursive, into)
	if !c.has(container.NSUser) {
		return nil
	}
	return c.orAsk(i, c.Label(), container.MountArg{Source: p, Recursive: recursive}, into)
}

// namedSource compiles namedSource.
func (c *compiler) namedSource(p string, recursive bool, into smallchild.Reg) error {
	if !c.has(container.NSUser) {
		return c.source(p, recursive, into)
	}
	ask := c.Label()
	c.IfMem(c.onSlash.At(0), 1, 1, ask)
	i := c.cloneTree(smallchild.Int(unix.AT_FDCWD), p, recursive, into)
	return c.orAsk(i, ask, container.MountArg{Source: p, Recursive: recursive}, into)
}

// orAsk makes the program ask the parent for a source if i, which opens it, is not allowed to, or at the label.
func (c *compiler) orAsk(i *smallchild.Instr, l smallchild.Label, arg container.MountArg, into smallchild.Reg) error {
	opened := c.Label()
	i.On(l, unix.EACCES, unix.EPERM)
	c.Jump(opened)
	c.Place(l)
	err := c.ask(arg, into)
	c.Place(opened)
	return err
}

// bindSource compiles bindSource.
func (c *compiler) bindSource(m *container.Mount, into smallchild.Reg) error {
	if m.IDs == nil {
		return c.namedSource(m.Source, m.Recursive, into)
	}
	for i := range c.cfg.Mounts {
		if m == &c.cfg.Mounts[i] {
			return c.ask(container.MountArg{Source: m.Source, Recursive: m.Recursive, Mount: i + 1}, into)
		}
	}
	return ErrWhole
}

// ask requests that the parent open a source.
func (c *compiler) ask(arg container.MountArg, into smallchild.Reg) error {
	request, err := callPayload(container.MountRequest.Request, arg)
	if err != nil {
		return err
	}
	reply, err := callPayload(container.MountRequest.Reply, struct{}{})
	c.Request(request, reply)
	c.Received(into)
	return err
}

// setFlag sets a word of memory to one.
func (c *compiler) setFlag(m smallchild.Memory) {
	one := c.Bytes(smallchild.Words(1), "number")
	c.Or(m.At(0), one, one)
}

// attach compiles sys.Attach.
func (c *compiler) attach(tree, target smallchild.Reg) {
	c.Call("move_mount", unix.SYS_MOVE_MOUNT, smallchild.Val(tree), c.Str(""), smallchild.Val(target), c.Str(""),
		smallchild.Int(unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH))
}

// fstat stores the struct stat of a descriptor in c.stat.
func (c *compiler) fstat(fd smallchild.Arg) *smallchild.Instr {
	return c.Call("fstat", unix.SYS_FSTAT, fd, c.stat.At(0))
}

// ifKind jumps if the last fstat found a file of this kind (S_IFMT).
func (c *compiler) ifKind(kind uint64, to smallchild.Label) {
	c.IfMem(c.stat.At(statMode), unix.S_IFMT, kind, to)
}

// require gives up unless the condition holds. If it holds, condition must jump to the label that it is given.
func (c *compiler) require(condition func(to smallchild.Label)) {
	ok := c.Label()
	condition(ok)
	c.GiveUp()
	c.Place(ok)
}

// newFS compiles sys.NewFS. If mode is not nil, it is the text of the option "mode", which is left out if the text
// is empty. refused is applied to every system call and may tell it where to continue after an error.
func (c *compiler) newFS(
	kind, source string, flags, data []string, attr uint64, mode *smallchild.Memory, into smallchild.Reg,
	refused func(i *smallchild.Instr) *smallchild.Instr,
) {
	fs := c.Reg()
	val, none := smallchild.Val(fs), smallchild.Int(0)
	refused(c.Call("fsopen", unix.SYS_FSOPEN, c.Str(kind), smallchild.Int(unix.FSOPEN_CLOEXEC)).Into(fs))
	text := func(key string, value smallchild.Arg) {
		refused(c.Call("fsconfig", unix.SYS_FSCONFIG, val, smallchild.Int(unix.FSCONFIG_SET_STRING), c.Str(key), value, none))
	}
	flag := func(key string) {
		refused(c.Call("fsconfig", unix.SYS_FSCONFIG, val, smallchild.Int(unix.FSCONFIG_SET_FLAG), c.Str(key), none, none))
	}
	if source != "" {
		text("source", c.Str(source))
	}
	for _, f := range flags {
		if f != "silent" {
			flag(f)
		}
	}
	if mode != nil {
		skip := c.Label()
		c.IfMem(mode.At(0), 0xff, 0, skip)
		text("mode", mode.At(0))
		c.Place(skip)
	}
	for _, d := range data {
		if key, value, ok := strings.Cut(d, "="); ok {
			text(key, c.Str(value))
		} else {
			flag(key)
		}
	}
	refused(c.Call("fsconfig", unix.SYS_FSCONFIG, val, smallchild.Int(unix.FSCONFIG_CMD_CREATE), none, none, none))
	closed := smallchild.Int(unix.FSMOUNT_CLOEXEC)
	refused(c.Call("fsmount", unix.SYS_FSMOUNT, val, closed, smallchild.Int(attr)).Into(into))
}

// never is the argument refused of newFS for a caller that does not continue after an error.
func never(i *smallchild.Instr) *smallchild.Instr { return i }
