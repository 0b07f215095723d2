package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/account"
	"github.com/handfast/handfast/internal/cgroupdriver"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/spawn"
)

// ExecFailed is the exit status of exec if the process could not be started. It is not meant to be a program's own
// status, so that a caller can tell the difference.
const ExecFailed = 255

// ExecOptions are the options of exec.
type ExecOptions struct {
	ID            string
	Process       string // file, or - for standard input; empty: the process of the container's configuration
	Changes       oci.Changes
	PIDFile       string   // empty: none
	ConsoleSocket string   // empty: none
	PIDFDSocket   string   // empty: none
	Cgroup        []string // groups below the container's, see cgroupfs.Group.Sub; empty: the container's own
	PreserveFDs   int
	Detach        bool
	IgnorePaused  bool
}

// Exec executes one more process in a running container. Detached, it returns once the process has been executed.
// In the foreground it returns the exit status when the process has ended. With an error the process was not
// started and nothing of it is left. If the execution itself failed, the error includes the cause, with errno and
// path.
//
// Exec does not lock the container, so any number of processes can be executed in it at once. If the container ends
// meanwhile, each of these calls fails.
func (r *Runtime) Exec(ctx context.Context, o ExecOptions) (status int, err error) {
	e := &execution{r: r, o: o, terminal: &terminal{}}
	defer e.close()
	if err := e.begin(); err != nil {
		return ExecFailed, err
	}
	if !o.Detach {
		if e.watch, err = watchSignals(ctx); err != nil {
			return ExecFailed, err
		}
		ctx = e.watch.until(ctx)
		e.terminal.watch = e.watch
	}
	account.End("configuration decided")
	e.r.enter(phaseClone)
	if err := e.start(ctx); err != nil {
		return ExecFailed, err
	}
	if o.Detach {
		return 0, e.process.Release()
	}
	e.r.enter(phaseRun)
	ended, err := e.watch.wait(e.process, e.terminal.proxy)
	account.End("program until its end")
	_ = e.process.Release()
	if err != nil {
		return ExecFailed, err
	}
	return exitStatus(ended), nil
}

// execution is one exec in progress. It is the spawn.Handler of its own start.
type execution struct {
	r        *Runtime
	o        ExecOptions
	state    *state.State
	init     *handle // the container's first process
	spawn    spawn.Config
	existing *cgroupdriver.Existing // the container's group
	group    *cgroupfs.Group        // the process's group; nil if the container has none of its own
	late     bool                   // the process joins its group after it was created
	last     bool                   // it joins only after everything else is done, see crowded
	began    bool                   // a process was created, even if it has ended since
	agent    *agent                 // the agent of the container's filter
	terminal *terminal
	process  *spawn.Process
	watch    *foreground // nil: detached
}

// begin does everything that can fail before anything is made.
func (e *execution) begin() error {
	if e.o.PreserveFDs < 0 {
		return fmt.Errorf("--preserve-fds %d: want a number of descriptors", e.o.PreserveFDs)
	}
	account.End("options")
	paused, err := e.find()
	if err != nil {
		return err
	}
	account.End("container found")
	e.r.enter(phaseRead)
	p, err := e.load()
	if err != nil {
		return err
	}
	e.r.enter(phaseDecide)
	target, running, err := e.facts()
	if err != nil {
		return err
	}
	e.spawn.Target = target // so that close closes its root
	labelFacts(&running.Host, p, "")
	cfg, warnings, err := oci.PlanProcess(p, running)
	if err != nil {
		return e.inProcess(err)
	}
	for _, w := range warnings {
		e.r.Log.Warnf("%s", w)
	}
	cfg.Target, cfg.Handler, cfg.Deadlines = target, e, unhurried
	if err := e.filter(&cfg); err != nil {
		return err
	}
	cfg.Container.Process.Keyring = e.state.Keyring
	e.state.Shared.Give(&cfg.Container.Process)
	if paused {
		// The process freezes as soon as it is in the group, until the container is resumed.
		cfg.Deadlines = spawn.Deadlines{Hello: -1, Config: -1, Idle: -1, Exec: -1}
	}
	e.spawn = cfg
	if err := e.terminal.prepare(cfg.Container.Process.Terminal, e.o.Detach, e.o.ConsoleSocket); err != nil {
		return err
	}
	return e.openGroup()
}

// filter makes the process run under the container's filter.
func (e *execution) filter(cfg *spawn.Config) error {
	kept, err := e.r.keptFilter(e.state)
	if err != nil {
		return err
	}
	e.agent = &agent{entry: kept, state: e.state, status: state.Running}
	if kept == nil {
		return nil
	}
	needs := neededAtOnce
	if kept.Notify {
		needs = neededByRuntime
	}
	cfg.Listener = e.agent.listener()
	return e.r.addFilter(&cfg.Container.Process, kept, needs)
}

// find opens the container's first process. It refuses a container in which nothing can be executed.
func (e *execution) find() (paused bool, err error) {
	if e.state, err = e.r.load(e.o.ID); err != nil {
		return false, err
	}
	status, err := e.r.status(e.state, false)
	if err != nil {
		return false, err
	}
	switch status {
	case state.Running, state.Created:
	case state.Paused:
		if !e.o.IgnorePaused {
			return true, fmt.Errorf("cannot exec in a paused container (resume %s, or use --ignore-paused to have the process "+
				"wait until somebody does)", e.o.ID)
		}
	case state.Stopped:
		return false, fmt.Errorf("container %s: cannot exec in a stopped container", e.o.ID)
	default:
		return false, fmt.Errorf("cannot exec in container %s: it is %s", e.o.ID, status)
	}
	e.init, err = openProcess(e.state.PID, e.state.StartTime)
	if errors.Is(err, errGone) {
		return false, fmt.Errorf("container %s: cannot exec in a stopped container", e.o.ID)
	}
	return status == state.Paused, err
}

// Started adds the process to everything that the container belongs to besides its group, and sends the pidfd to
// the caller if that was requested.
func (e *execution) Started(ctx context.Context, pid int) error {
	account.End("child cloned, until its execution")
	e.r.enter(phaseJoin)
	e.r.Log.Debugf("nsexec container setup: container %s: process %d joins", e.o.ID, pid)
	if a := e.spawn.Affinity; len(a) > 0 {
		e.r.Log.Debugf("nsexec: affinity: %s", processorMask(a))
	}
	e.began = true
	if err := Join(joinClass(e.state, pid), shareCores(e.state, pid), e.attach(ctx, pid), e.join(ctx, pid)); err != nil {
		return err
	}
	return sendPIDFD(e.o.PIDFDSocket, pid, "setns")
}

// Hooks is never called: a process that joins a container has no hooks.
func (e *execution) Hooks(context.Context, int) error { return nil }

// Console receives the master of the process's terminal.
func (e *execution) Console(_ context.Context, master *os.File, path string) error {
	return e.terminal.take(master, path)
}

// Ready adds the process to its group if it could not join earlier, and writes the caller's pid file.
func (e *execution) Ready(_ context.Context, pid int) error {
	if e.last {
		if err := e.group.Add(pid); err != nil {
			return err
		}
		if err := e.bindAgain(pid); err != nil {
			return err
		}
	}
	e.r.Log.Debugf("child process in init(): container %s: process %d has joined everything", e.o.ID, pid)
	e.r.Log.Debugf("setns_init: about to exec: container %s: process %d", e.o.ID, pid)
	if e.watch != nil {
		e.watch.complete()
	}
	if e.o.PIDFile != "" {
		if err := writePIDFile(e.o.PIDFile, pid); err != nil {
			return err
		}
	}
	e.r.enter(phaseExecute)
	return nil
}

func (e *execution) close() {
	e.terminal.close()
	if e.group != nil {
		e.group.Close()
	}
	if e.init != nil {
		_ = e.init.close()
	}
	if t := e.spawn.Target; t != nil && t.Root != nil {
		_ = t.Root.Close()
	}
}

// processorMask returns a set of processors as a hexadecimal number whose lowest bit stands for processor 0.
func processorMask(processors []uint32) string {
	digits := make([]byte, slices.Max(processors)/4+1)
	for _, n := range processors {
		digits[len(digits)-1-int(n/4)] |= 1 << (n % 4)
	}
	for i, d := range digits {
		digits[i] = "0123456789abcdef"[d]
	}
	return "0x" + string(digits)
}
