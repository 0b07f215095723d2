package lifecycle

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/handfast/handfast/internal/account"
	"github.com/handfast/handfast/internal/cgroupdriver"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// make makes the group and the child. After an error nothing is left of the container, including its state, or the
// error says what is left.
func (c *creation) make(ctx context.Context) error {
	account.End("signals caught")
	c.r.enter(phaseMakeGroup)
	err := c.makeGroup()
	if err == nil {
		err = c.makeClass()
	}
	account.End("group made")
	if err == nil {
		c.r.enter(phaseClone)
		err = c.spawn(ctx)
	}
	if err != nil {
		return Join(err, c.undo())
	}
	return nil
}

// unhurried are the deadlines for the start of a child. The defaults suit a program whose user waits for it, but a
// runtime may be started a hundred times at once, on a machine that is short of every resource.
var unhurried = spawn.Deadlines{Hello: 30 * time.Second, Config: 30 * time.Second, Exec: 30 * time.Second}

func (c *creation) spawn(ctx context.Context) error {
	cfg := c.plan.Spawn
	cfg.Handler, cfg.Deadlines = c, unhurried
	cfg.Trace, cfg.Compile = c.r.traceConversation(), c.r.compiler()
	if !cfg.Container.Process.Terminal {
		cfg.Files = [3]*os.File{os.Stdin, os.Stdout, os.Stderr}
	}
	var err error
	if cfg.HookFiles, err = c.hookFiles(); err != nil {
		return err
	}
	defer closeFiles(cfg.HookFiles)
	a := &agent{entry: c.filter, state: &c.state, status: state.Created}
	cfg.Listener = a.listener()
	if err := c.spawnIn(ctx, cfg); err != nil {
		return starved(a.explain(err), c.cgroup.Group())
	}
	c.r.tellChild(c.o.ID, c.process)
	c.r.Log.Debugf("init: closing the pipe to signal completion: container %s: process %d needs this process no more",
		c.o.ID, c.process.PID())
	return nil
}

// tellChild logs which child was used, and how this program's file was protected from being written by the
// container. That message begins with runc's words, because users of runc look for them.
func (r *Runtime) tellChild(id string, p *spawn.Process) {
	using := "/proc/self/exe clone"
	if p.Protection() == spawn.NotWritable {
		using = "/proc/self/exe"
	}
	r.Log.Debugf("runc exeseal: using %s (%s)", using, p.Protection())
	r.Log.Debugf("container %s: child %s", id, p.Child())
}

// Started stores the child's process id before anything is sent to the child. If this process is killed, delete
// finds the child.
func (c *creation) Started(ctx context.Context, pid int) error {
	account.End("child cloned, until its execution")
	c.r.enter(phaseState)
	started, _, err := state.ProcessStart(pid)
	if err != nil {
		return err
	}
	c.state.PID, c.state.StartTime = pid, started
	c.r.Log.Debugf("nsexec container setup: container %s: process %d made in its namespaces", c.o.ID, pid)
	if err := c.save(); err != nil {
		return err
	}
	c.r.enter(phaseLimits)
	if err := Join(joinClass(&c.state, pid), ownCores(&c.state, pid)); err != nil {
		return err
	}
	if err := sendPIDFD(c.o.PIDFDSocket, pid, "standard"); err != nil {
		return err
	}
	if c.place == cgroupdriver.Joins {
		if err := c.cgroup.Join(ctx, pid); err != nil {
			return err
		}
	}
	if err := c.cgroup.Limit(); err != nil {
		return err
	}
	account.End("state and limits set, meanwhile")
	c.r.enter(phaseSetUp)
	return nil
}

// Hooks runs the hooks that belong between the creation of the namespaces and the change of the root.
func (c *creation) Hooks(ctx context.Context, _ int) error {
	if err := c.cgroup.Finish(ctx); err != nil {
		return err
	}
	return c.runtimeHooks(ctx)
}

// runtimeHooks runs the hooks of this process's namespaces that precede the program.
func (c *creation) runtimeHooks(ctx context.Context) error {
	c.hooked = true
	for _, set := range []struct {
		kind  string
		hooks []container.Hook
	}{{"prestart", c.plan.Hooks.Prestart}, {"createRuntime", c.plan.Hooks.CreateRuntime}} {
		if err := c.r.runHooks(ctx, set.kind, set.hooks, &c.state, state.Creating); err != nil {
			return err
		}
	}
	c.r.enter(phaseSetUp)
	return nil
}

// Console receives the master of the container's terminal.
func (c *creation) Console(_ context.Context, master *os.File, path string) error {
	return c.terminal.take(master, path)
}

// Ready stores that the container is complete, and writes the caller's pid file.
func (c *creation) Ready(ctx context.Context, pid int) error {
	if err := c.cgroup.Finish(ctx); err != nil {
		return err
	}
	c.r.Log.Debugf("child process in init(): container %s: process %d has set everything up", c.o.ID, pid)
	c.r.enter(phaseState)
	c.state.Creating = false
	if err := c.save(); err != nil {
		return err
	}
	if c.watch != nil {
		// A startContainer hook runs before the program and may hang. Until it has ended, a signal is not for the
		// program.
		if len(c.plan.Spawn.Container.Hooks.StartContainer) == 0 {
			c.watch.complete()
		}
	}
	if c.o.PIDFile != "" {
		if err := writePIDFile(c.o.PIDFile, pid); err != nil {
			return err
		}
	}
	if c.state.Gate == "" {
		c.r.enter(phaseExecute)
	}
	return nil
}

// undo removes what was made. The child is gone already, because spawn ends it. If something cannot be removed, it
// stays together with the state, and delete removes it later and runs the poststop hooks.
func (c *creation) undo() error {
	c.r.Log.KeepPhase()
	err := Join(c.cgroup.Undo(), removeClass(&c.state), unmountHost(&c.state))
	if err != nil {
		return fmt.Errorf("%w (that much is left: remove it with handfast delete --force %s)", err, c.o.ID)
	}
	if c.hooked {
		c.r.poststop(&c.state)
	}
	return c.dir.Remove()
}

func (c *creation) close() {
	c.terminal.close()
	if c.cgroup != nil {
		c.cgroup.Close()
	}
	c.stored.close()
}
