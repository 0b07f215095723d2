package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/handfast/handfast/internal/account"
	"github.com/handfast/handfast/internal/cgroupdriver"
	"github.com/handfast/handfast/internal/filtercache"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/spawn"
)

// gateName is the start gate's socket, beside the state.
const gateName = "start.sock"

// CreateOptions are the options that create and run share.
type CreateOptions struct {
	ID            string
	Bundle        string // directory; empty: the working directory
	Config        string // the configuration's file; empty: config.json in the bundle
	PIDFile       string // empty: none
	ConsoleSocket string // empty: none
	PIDFDSocket   string // empty: none
	PreserveFDs   int    // descriptors from 3 on that the container gets
	NoPivot       bool
	NoNewKeyring  bool // the container keeps this process's session keyring
}

// Create makes a container and leaves it waiting at its start gate. After an error nothing of it is left. If
// something cannot be removed, the state stays too, and the error says so.
func (r *Runtime) Create(ctx context.Context, o CreateOptions) error {
	c, err := r.begin(o, true, true)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.make(ctx); err != nil {
		return err
	}
	return c.process.Release()
}

// creation is a container that is being made. It is the spawn.Handler of its own start.
type creation struct {
	r *Runtime
	o CreateOptions
	decided
	stored

	terminal *terminal
	cgroup   cgroupdriver.Driver
	place    cgroupdriver.Place // where the child begins
	process  *spawn.Process
	watch    *foreground // nil: the container does not run in the foreground
	hooked   bool        // hooks have run, so that poststop hooks have something to undo
}

// decided is what the configuration means. It is complete before anything is made.
type decided struct {
	file     string // the configuration's, for errors
	plan     *oci.Planned
	filter   *filtercache.Entry // of system calls; nil: none
	notifies bool               // the container has a socket for its readiness
}

// inConfig adds the name of the file that has a wrong or unsupported property.
func (d *decided) inConfig(err error) error { return fmt.Errorf("%s: %w", d.file, err) }

// stored is what other commands can see of the container.
type stored struct {
	dir   *state.Dir // locked; nil before it exists
	state state.State
}

// save stores the state as it is now.
func (s *stored) save() error { return s.dir.Save(&s.state) }

// close releases the lock. The stored state stays.
func (s *stored) close() {
	if s.dir != nil {
		_ = s.dir.Close()
	}
}

// begin does everything that can fail before anything is made, and then stores that a container is being made.
func (r *Runtime) begin(o CreateOptions, detached, gated bool) (*creation, error) {
	c := &creation{r: r, o: o, terminal: &terminal{}}
	if err := c.begin(detached, gated); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *creation) begin(detached, gated bool) (err error) {
	if err := state.ValidateID(c.o.ID); err != nil {
		return err
	}
	if c.o.PreserveFDs < 0 {
		return fmt.Errorf("--preserve-fds %d: want a number of descriptors", c.o.PreserveFDs)
	}
	account.End("options")
	c.r.enter(phaseRead)
	if err := c.load(); err != nil {
		return err
	}
	if !gated && c.state.NoProcess {
		return c.inConfig(errors.New("process: missing; run executes one, create does without"))
	}
	account.End("configuration decided")
	c.r.enter(phaseState)
	if err := c.terminal.prepare(c.state.Console, detached, c.o.ConsoleSocket); err != nil {
		return err
	}
	if gated {
		c.state.Gate = filepath.Join(c.r.Root, c.o.ID, gateName)
		c.plan.Spawn.Gate = c.state.Gate
	}
	if err := c.planGroup(); err != nil {
		return err
	}
	if c.dir, err = c.r.store().Create(&c.state); err != nil {
		return err
	}
	account.End("state begun")
	if err := Join(c.keepFilter(), c.makeNotifyDir()); err != nil {
		return Join(err, c.dir.Remove())
	}
	return nil
}
