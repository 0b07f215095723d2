package nsinit

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// child is the state of one child between its steps.
type child struct {
	peer    *transport.Peer
	profile *syncproto.Profile
	plan    func(*container.Config) ([]Step, error)
	cfg     container.Config
	fds     []int     // that came with CONFIG
	root    *sys.Root // the container's root file system, once StageRootfs is done
	env     []string  // of the program
	program string    // path of the program, once it is found
	empty   int       // a shared empty read-only directory for masks; zero until the first one
	waiting bool      // behind the gate: the peer is whoever opened it
}

// Stage is what a step is for, and its name on the wire.
type Stage string

// The stages, in the order in which a plan may hold them.
const (
	StageSession     Stage = "session"              // a session of its own, not dumpable
	StageNamespace   Stage = "namespace"            // join or make one namespace
	StageHostname    Stage = "hostname"             // set the host name
	StageDomainname  Stage = "domainname"           // set the NIS domain name
	StageLoopback    Stage = "loopback"             // bring lo up
	StageSysctl      Stage = "sysctl"               // write one kernel parameter
	StagePropagation Stage = "propagation"          // stop mounts from spreading to the host
	StageRootfs      Stage = "rootfs"               // mount the root file system on itself and open it
	StageRoot        Stage = "root"                 // open the root that the process has joined
	StageMount       Stage = "mount"                // one mount
	StageDevice      Stage = "device"               // one device node
	StageLate        Stage = "latemode"             // a tmpfs becomes read-only, now that everything in it is made
	StageLink        Stage = "link"                 // one of the standard links in /dev
	StageConsole     Stage = "console"              // open the terminal and hand over its master
	StageCwd         Stage = "cwd"                  // make the working directory
	StageHooks       Stage = "hooks"                // let the parent run its hooks
	StageHook        Stage = "createContainer hook" // run one createContainer hook
	StagePivot       Stage = "pivot"                // make the root file system the root
	StageRootMode    Stage = "rootmode"             // the root's propagation, and read-only if asked for
	StageReadonly    Stage = "readonly"             // one path becomes read-only
	StageMask        Stage = "mask"                 // one path becomes unreadable
	StageStdio       Stage = "stdio"                // the standard streams belong to the user
	StageEnv         Stage = "environment"          // HOME
	StageRlimit      Stage = "rlimit"               // one resource limit
	StageLabel       Stage = "label"                // ask a security module for a label from the execution on
	StageUser        Stage = "user"                 // ids, capabilities, no_new_privs, working directory
	StageProgram     Stage = "program"              // find the program
	StageFiles       Stage = "files"                // mark every other descriptor to end with the execution
	StageReady       Stage = "ready"                // wait for the parent's "run"
	StageGate        Stage = "gate"                 // wait at the gate
	StageStart       Stage = "startContainer hook"  // run one startContainer hook
	StageExec        Stage = "exec"                 // execute the program
)

// do carries one step out. It is the one place where a stage meets its effect.
func (c *child) do(s Step) error {
	switch s.Stage {
	case StageSession:
		return c.session()
	case StageNamespace:
		return c.namespace(s.Namespace)
	case StageHostname:
		return op("sethostname", s.Text, unix.Sethostname([]byte(s.Text)))
	case StageDomainname:
		return op("setdomainname", s.Text, unix.Setdomainname([]byte(s.Text)))
	case StageLoopback:
		return loopbackUp()
	case StageSysctl:
		return writeSysctl(s.Path, s.Text)
	case StagePropagation:
		return c.propagation()
	case StageRootfs:
		return c.openRootfs()
	case StageRoot:
		return c.openRoot()
	case StageMount:
		return c.mount(s.Mount)
	case StageDevice:
		return c.device(s.Device)
	case StageLink:
		return c.link(s.Path, s.Text)
	case StageLate:
		return c.lateReadonly(s.Path)
	case StageConsole:
		return c.console(s.Path)
	case StageCwd:
		return c.makeCwd(s.Path)
	case StageHooks:
		return request(c, container.HooksRequest)
	case StageHook, StageStart:
		return c.hook(s)
	case StagePivot:
		return c.pivot(s.Text)
	case StageRootMode:
		return c.rootMode()
	case StageReadonly:
		return c.readonly(s.Path)
	case StageMask:
		return c.mask(s.Path)
	}
	return c.doProcess(s)
}

// doProcess is do for the stages that make the process what the program shall find.
func (c *child) doProcess(s Step) error {
	switch s.Stage {
	case StageStdio:
		return c.stdio()
	case StageEnv:
		return c.environment()
	case StageRlimit:
		return setRlimit(s.Rlimit)
	case StageUser:
		return c.become(s.Path)
	case StageProgram:
		return c.find(s.Path)
	case StageReady:
		return request(c, container.ReadyRequest)
	case StageGate:
		return c.gate()
	case StageLabel:
		return c.label(s.Path, s.Text)
	case StageFiles:
		return closeOthers(3 + c.cfg.KeepFDs)
	case StageExec:
		return c.exec()
	}
	return errors.New("no such stage")
}

// request makes a request that has nothing to say and nothing to learn.
func request(c *child, x syncproto.Exchange[struct{}, struct{}]) error {
	_, fds, err := transport.Call(context.Background(), c.peer, x, struct{}{})
	transport.CloseAll(fds)
	return err
}

// op is a failed operation as an error; nil for nil.
func op(name, path string, err error) error {
	if err == nil {
		return nil
	}
	return &sys.Error{Op: name, Path: path, Err: err}
}

// located gives an error the step that it belongs to. Errors of the conversation keep their own words.
func located(s Step, err error) error {
	var cancelled *transport.CancelledError
	var refused *transport.Refused
	var failure *transport.Failure
	if errors.As(err, &cancelled) || errors.As(err, &refused) || errors.As(err, &failure) {
		return err
	}
	e := &StepError{Stage: s.Stage, Err: err}
	var direct *sys.Error
	if x, ok := err.(*sys.Error); ok && x.Log == "" {
		direct = x
		e.Op, e.Path, e.Err = direct.Op, direct.Path, direct.Err
	}
	if s.Stage == StageMount && s.Mount != nil {
		e.Err, e.Op, e.Path = err, "", s.Mount.Destination
	}
	return e
}

// SyncCode is the class of a failed step.
func (e *StepError) SyncCode() syncproto.Code {
	switch e.Stage {
	case StageExec, StageProgram:
		return syncproto.CodeExec
	case StageHook, StageStart:
		return syncproto.CodeHook
	}
	return syncproto.CodeSetup
}
