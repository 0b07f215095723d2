package lifecycle

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/account"
)

// RunOptions are the options of run: those of create and a few more.
type RunOptions struct {
	CreateOptions
	Detach      bool
	Keep        bool // leave the state of a container that has ended
	NoSubreaper bool // do not adopt the container's orphans
}

// Run creates a container and executes its process at once. Detached, it returns then. In the foreground it returns
// the exit status once the process has ended and the container is removed. With an error the status is meaningless.
func (r *Runtime) Run(ctx context.Context, o RunOptions) (status int, err error) {
	c, err := r.begin(o.CreateOptions, o.Detach, false)
	if err != nil {
		return 0, err
	}
	defer c.close()
	if !o.Detach {
		if ctx, err = c.watchForeground(ctx, o.NoSubreaper); err != nil {
			return 0, Join(err, c.undo())
		}
	}
	ready, err := listenForReadiness(c.dir.Path(""))
	if err != nil {
		return 0, Join(err, c.dir.Remove())
	}
	defer ready.close()
	if err := c.make(ctx); err != nil {
		return 0, err
	}
	if c.watch != nil {
		c.watch.complete()
	}
	if err := r.poststart(ctx, &c.state); err != nil {
		r.Log.KeepPhase()
		return 0, Join(err, r.destroy(c.dir, &c.state))
	}
	if o.Detach {
		pid := c.process.PID()
		if err := Join(c.process.Release(), c.dir.Close()); err != nil {
			return 0, err
		}
		return 0, r.awaitReadiness(ctx, ready, c.o.ID, pid, c.state.StartTime)
	}
	if ready != nil {
		go func() {
			if err := ready.tell(ctx, 0); err != nil && !errors.Is(err, os.ErrClosed) {
				r.Log.Warnf("container %s: its readiness is not told: %v", c.o.ID, err)
			}
		}()
	}
	return c.foreground(o.Keep)
}

// watchForeground prepares this process to stay with the container. It returns the context to use until the program
// may run.
func (c *creation) watchForeground(ctx context.Context, noSubreaper bool) (context.Context, error) {
	var err error
	if c.watch, err = watchSignals(ctx); err != nil {
		return nil, err
	}
	c.terminal.watch = c.watch
	if !noSubreaper {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			c.r.Log.Warnf("subreaper: %v: orphans of the container will not be reaped here", err)
		}
	}
	return c.watch.until(ctx), nil
}

// foreground waits until the container's process has ended, and then removes the container unless keep is set.
func (c *creation) foreground(keep bool) (int, error) {
	// From here on other commands may change the container, as with any other.
	_ = c.dir.Close()
	c.r.enter(phaseRun)
	ended, err := c.watch.wait(c.process, c.terminal.proxy)
	account.End("program until its end")
	_ = c.process.Release()
	c.terminal.close()
	if err != nil {
		return 0, Join(err, c.r.deleteThis(&c.state, c.cgroup.Group()))
	}
	if keep {
		return exitStatus(ended), nil
	}
	return exitStatus(ended), c.r.deleteThis(&c.state, c.cgroup.Group())
}
