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

// child is the state of a child process between its steps.
type child struct {
	peer    *transport.Child
	profile *syncproto.Profile
	plan    func(*container.Config) ([]step, error)
	cfg     container.Config
	parent  int                  // the socket to the parent, which the peer owns; zero: there need not be a parent
	fds     []int                // descriptors that came with CONFIG
	root    *sys.Root            // the container's root file system, once stageRootfs is done
	env     []string             // environment of the program
	program string               // path of the program, once it is found
	nullFD  int                  // the container's null device, once a mask has needed it; zero until then
	empty   int                  // a shared empty read-only directory for masks; zero until the first one
	filter  *filter              // system call filter; nil: none
	missing *interpreter.Missing // what the program lacks for its execution; looked up only if there is a filter
	made    madeMounts
	onSlash bool // the root is mounted on "/" until it becomes the root
	waiting bool // behind the gate: the peer is the process that opened it
}

// stage is the purpose of a step, and its name on the wire.
type stage string

// The stages, in the order in which they occur in a plan.
const (
	stageSession     stage = "session"              // start a session of its own, not dumpable
	stageStreams     stage = "streams"              // take the standard streams that came with CONFIG
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
	stageLate        stage = "latemode"             // make a tmpfs read-only after everything in it is made
	stageLink        stage = "link"                 // one of the standard links in /dev
	stageConsole     stage = "console"              // open the terminal and hand over its master
	stageCwd         stage = "cwd"                  // make the working directory
	stageHooks       stage = "hooks"                // let the parent run its hooks
	stageHook        stage = "createContainer hook" // run one createContainer hook
	stagePivot       stage = "pivot"                // make the root file system the root
	stageRootMode    stage = "rootmode"             // set the root's propagation, and make it read-only if requested
	stageReadonly    stage = "readonly"             // make one path read-only
	stageMask        stage = "mask"                 // make one path unreadable
	stageStdio       stage = "stdio"                // give the standard streams to the user
	stageEnv         stage = "environment"          // set HOME
	stageRlimit      stage = "rlimit"               // one resource limit
	stageLabel       stage = "label"                // request a label from a security module for the execution
	stageProcessors  stage = "processors"           // set the processors on which the program may run
	stagePersonality stage = "personality"          // set the execution domain of the program
	stageMemory      stage = "memorypolicy"         // set the nodes from which the program gets its memory
	stageScheduler   stage = "scheduler"            // set how the kernel schedules the program
	stageIOPriority  stage = "iopriority"           // set how the kernel schedules the program's I/O
	stageLandlock    stage = "landlock"             // restrict the program with Landlock
	stageUser        stage = "user"                 // ids, capabilities, no_new_privs, working directory
	stageProgram     stage = "program"              // find the program
	stageFiles       stage = "files"                // mark every other descriptor close-on-exec
	stageReady       stage = "ready"                // wait for the parent's "run"
	stageGate        stage = "gate"                 // wait at the gate
	stageParentDeath stage = "parentdeath"          // set the signal that the program gets when its parent ends
	stageSeccomp     stage = "seccomp"              // load the system call filter
	stageStart       stage = "startContainer hook"  // run one startContainer hook
	stageExec        stage = "exec"                 // execute the program
)

// request makes a request that has neither an argument nor a result.
func request(c *child, x syncproto.Exchange[struct{}, struct{}]) error {
	_, fds, err := transport.Call(context.Background(), c.peer, x, struct{}{})
	transport.CloseAll(fds)
	return err
}

// errNoParent is the error with which the child ends when its parent has ended.
var errNoParent = errors.New("the parent has ended")

// parentIsThere returns an error if the parent has ended or has closed its end of the socket. It is called before
// every step that may take long (mayLast), and between the files of one: if, for example, the command is killed, the
// child must not continue work that nobody waits for. The kernel's own mechanism, PR_SET_PDEATHSIG, is tied to the
// thread that made the child, and that thread ends before the parent does.
func (c *child) parentIsThere() error {
	if c.parent <= 0 || c.filter != nil && c.filter.loaded { // a loaded filter may forbid ppoll(2)
		return nil
	}
	set := []unix.PollFd{{Fd: int32(c.parent)}}
	if n, err := unix.Poll(set, 0); err == nil && n > 0 && set[0].Revents&unix.POLLHUP != 0 {
		return errNoParent
	}
	return nil
}

// op wraps the error of a failed operation. It returns nil if err is nil.
func op(name, path string, err error) error {
	if err == nil {
		return nil
	}
	return &sys.Error{Op: name, Path: path, Err: err}
}

// located adds to an error the step in which it occurred. Errors of the conversation keep their own text.
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

// SyncCode returns the error code for the stage of the failed step.
func (e *stepError) SyncCode() syncproto.Code {
	switch e.Stage {
	case stageExec, stageProgram:
		return syncproto.CodeExec
	case stageHook, stageStart:
		return syncproto.CodeHook
	}
	return syncproto.CodeSetup
}
