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
