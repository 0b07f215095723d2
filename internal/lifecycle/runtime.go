package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/bound"
	"github.com/handfast/handfast/internal/log"
	"github.com/handfast/handfast/internal/oci/state"
)

// Runtime is the containers below one root directory.
type Runtime struct {
	Root string // absolute
	// RootGiven says that somebody has named Root: that it does not exist is then a mistake, and not a place without
	// containers.
	RootGiven bool
	Log       *log.Logger
	// CgroupOptional says that a container gets no group where this process may not make one, unless its configuration
	// requests a path or limits.
	CgroupOptional bool
	// CgroupManager names who makes the groups, see cgroupdriver.Open.
	CgroupManager string

	layout *cgroupfs.Layout // see host
}

// lockPatience bounds how long a command waits for another one that changes the same container. A hook of that one may
// take its time.
const lockPatience = 10 * time.Second

// createPatience bounds the wait for a create that is about to end: a caller that has seen the pid file, or the
// container's own doing, may come before its lock is gone.
const createPatience = 3 * time.Second

func (r *Runtime) store() state.Store { return state.New(r.Root) }

// open locks a container for changing, and reads what is stored of it. A command that has the container for a moment is
// waited for; one that is still creating it only for a short one unless wait is set, for that can take as long as its
// hooks do. The caller closes the Dir.
func (r *Runtime) open(id string, wait bool) (*state.Dir, *state.State, error) {
	dir, err := r.lock(id, wait)
	if err != nil {
		return nil, nil, err
	}
	s, err := dir.Load()
	if err != nil {
		_ = dir.Close()
		return nil, nil, r.advise(id, err)
	}
	return dir, s, nil
}

// load reads a container's state without its lock.
func (r *Runtime) load(id string) (*state.State, error) {
	s, err := r.store().Load(id)
	return s, r.advise(id, err)
}

// advise says what to do about a damaged state.
func (r *Runtime) advise(id string, err error) error {
	if !errors.Is(err, state.ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w (handfast delete --force %s removes the container, as far as it can be found)", err, id)
}

func (r *Runtime) lock(id string, wait bool) (*state.Dir, error) {
	ctx, cancel := bound.Within(context.Background(), lockPatience)
	defer cancel()
	if !wait {
		brief, stop := bound.Within(ctx, createPatience)
		defer stop()
		dir, err := r.store().Lock(brief, id)
		if !errors.Is(err, state.ErrBusy) {
			return dir, err
		}
		if s, err := r.store().Load(id); err == nil && s.Creating {
			return nil, fmt.Errorf("container %s: another command is still creating it", id)
		}
	}
	return r.store().Lock(ctx, id)
}

// status is where a container stands. mine says that this command itself holds its lock: a create that is not finished
// then has nobody who will finish it.
func (r *Runtime) status(s *state.State, mine bool) (string, error) {
	facts, err := r.store().Observe(s)
	if err != nil {
		return "", fmt.Errorf("container %s: %w", s.ID, err)
	}
	facts.Locked = facts.Locked && !mine
	if facts.Alive && !facts.Creating {
		if facts.Frozen, err = r.group(s).Frozen(); err != nil {
			return "", fmt.Errorf("container %s: %w", s.ID, err)
		}
	}
	return facts.Status(), nil
}

// State is the output of the command state.
func (r *Runtime) State(id string) (state.OCI, error) {
	s, err := r.load(id)
	if err != nil {
		return state.OCI{}, err
	}
	status, err := r.status(s, false)
	return s.OCI(status), err
}

// List is every container of the root directory. One whose state cannot be read does not hide the others: it is told of
// on standard error.
func (r *Runtime) List() ([]state.OCI, error) {
	if _, err := os.Stat(r.Root); r.RootGiven && errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("--root %s: %w (it is made with the first container)", r.Root, unix.ENOENT)
	}
	entries, err := r.store().List()
	if err != nil {
		return nil, err
	}
	var all []state.OCI
	for _, e := range entries {
		var status string
		if err := e.Err; err == nil {
			status, err = r.status(e.State, false)
			e.Err = err
		}
		if e.Err != nil {
			r.Log.Show(r.advise(e.ID, e.Err))
			continue
		}
		all = append(all, e.State.OCI(status))
	}
	return all, nil
}
