package nsinit

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/interpreter"
	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// child is the state of one child between its steps.
type child struct {
	peer    *transport.Child
	profile *syncproto.Profile
	plan    func(*container.Config) ([]step, error)
	cfg     container.Config
	parent  int                  // number of the socket to the parent, which the peer owns; zero: it need not be there
	fds     []int                // that came with CONFIG
	root    *sys.Root            // the container's root file system, once stageRootfs is done
	env     []string             // of the program
	program string               // path of the program, once it is found
	nullFD  int                  // the container's null device, once a mask has needed it; zero until then
	empty   int                  // a shared empty read-only directory for masks; zero until the first one
	filter  *filter              // of system calls; nil: none
	missing *interpreter.Missing // what the program lacks for its execution; found only where there is a filter
	made    madeMounts
	onSlash bool // the root is mounted on "/" until it becomes the root
	waiting bool // behind the gate: the peer is whoever opened it
}

// stage is what a step is for, and its name on the wire.
type stage string

// The stages, in the order in which a plan may hold them.
const (
	stageSession     stage = "session"              // a session of its own, not dumpable
	stageNamespace   stage = "namespace"            // join or make one namespace
	stageHostname    stage = "hostname"             // set the host name
	stageDomainname  stage = "domainname"           // set the NIS domain name
	stageLoopback    stage = "loopback"             // bring lo up
	stageSysctl      stage = "sysctl"               // write one kernel parameter
	stagePropagation stage = "propagation"          // stop mounts from spreading to the host
	stageRootfs      stage = "rootfs"               // mount the root file system on itself and open it
	stageRoot        stage = "root"                 // open the root that the process has joined
	stageMount       stage = "mount"                // one mount
	stageDevice      stage = "device"               // one device node
	stageLate        stage = "latemode"             // a tmpfs becomes read-only, now that everything in it is made
	stageLink        stage = "link"                 // one of the standard links in /dev
	stageConsole     stage = "console"              // open the terminal and hand over its master
	stageCwd         stage = "cwd"                  // make the working directory
	stageHooks       stage = "hooks"                // let the parent run its hooks
	stageHook        stage = "createContainer hook" // run one createContainer hook
	stagePivot       stage = "pivot"                // make the root file system the root
	stageRootMode    stage = "rootmode"             // the root's propagation, and read-only if asked for
	stageReadonly    stage = "readonly"             // one path becomes read-only
	stageMask        stage = "mask"                 // one path becomes unreadable
	stageStdio       stage = "stdio"                // the standard streams belong to the user
	stageEnv         stage = "environment"          // HOME
	stageRlimit      stage = "rlimit"               // one resource limit
	stageLabel       stage = "label"                // ask a security module for a label from the execution on
	stageProcessors  stage = "processors"           // on which processors the program may run
	stagePersonality stage = "personality"          // what the kernel pretends to be to the program
	stageMemory      stage = "memorypolicy"         // from which nodes it gets its memory
	stageScheduler   stage = "scheduler"            // how the kernel schedules it
	stageIOPriority  stage = "iopriority"           // and what it reads and writes
	stageLandlock    stage = "landlock"             // what it may do of what Landlock governs
	stageUser        stage = "user"                 // ids, capabilities, no_new_privs, working directory
	stageProgram     stage = "program"              // find the program
	stageFiles       stage = "files"                // mark every other descriptor to end with the execution
	stageReady       stage = "ready"                // wait for the parent's "run"
	stageGate        stage = "gate"                 // wait at the gate
	stageParentDeath stage = "parentdeath"          // which signal it gets when its parent ends
	stageSeccomp     stage = "seccomp"              // load the filter of system calls
	stageStart       stage = "startContainer hook"  // run one startContainer hook
	stageExec        stage = "exec"                 // execute the program
)

// request makes a request that has nothing to say and nothing to learn.
func request(c *child, x syncproto.Exchange[struct{}, struct{}]) error {
	_, fds, err := transport.Call(context.Background(), c.peer, x, struct{}{})
	transport.CloseAll(fds)
	return err
}

// errNoParent is what ends the child when its parent has ended.
var errNoParent = errors.New("the parent has ended")

// parentIsThere is an error once the parent has ended, or closed its end. It is asked before every step, and between
// the files of a long one: a child must not go on alone with what nobody waits for, after a kill of the command say.
// The kernel's own way, PR_SET_PDEATHSIG, is about the thread that made the child, and that ends before the parent
// does.
func (c *child) parentIsThere() error {
	if c.parent <= 0 || c.filter != nil && c.filter.loaded { // ppoll(2) may be forbidden by now
		return nil
	}
	set := []unix.PollFd{{Fd: int32(c.parent)}}
	if n, err := unix.Poll(set, 0); err == nil && n > 0 && set[0].Revents&unix.POLLHUP != 0 {
		return errNoParent
	}
	return nil
}

// op is a failed operation as an error; nil for nil.
func op(name, path string, err error) error {
	if err == nil {
		return nil
	}
	return &sys.Error{Op: name, Path: path, Err: err}
}

// located gives an error the step that it belongs to. Errors of the conversation keep their own words.
func located(s step, err error) error {
	var cancelled *transport.CancelledError
	var refused *transport.Refused
	var failure *transport.Failure
	var own *stepError
	if errors.As(err, &own) {
		return err
	}
	if errors.As(err, &cancelled) || errors.As(err, &refused) || errors.As(err, &failure) {
		return err
	}
	e := &stepError{Stage: s.stage(), Err: err}
	var direct *sys.Error
	if x, ok := err.(*sys.Error); ok && x.Log == "" {
		direct = x
		e.Op, e.Path, e.Err = direct.Op, direct.Path, direct.Err
	}
	if m, ok := s.(mountStep); ok {
		e.Err, e.Op, e.Path = err, "", m.mount.Destination
	}
	return e
}

// SyncCode is the class of a failed step.
func (e *stepError) SyncCode() syncproto.Code {
	switch e.Stage {
	case stageExec, stageProgram:
		return syncproto.CodeExec
	case stageHook, stageStart:
		return syncproto.CodeHook
	}
	return syncproto.CodeSetup
}
