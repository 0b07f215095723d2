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
	"github.com/handfast/handfast/internal/recording"
)

// Runtime manages the containers below one root directory.
type Runtime struct {
	Root string // absolute
	// RootGiven says that the caller has named Root. A Root that does not exist is then a mistake, and not merely a
	// place without containers.
	RootGiven bool
	Log       *log.Logger
	// CgroupOptional lets a container go without a group where this process may not make one, unless its
	// configuration requests a path or limits.
	CgroupOptional bool
	// CgroupManager names what makes the groups, see cgroupdriver.Open.
	CgroupManager string
	// Recorder writes the command's phases and conversations to the file of --trace; nil: nowhere.
	Recorder *recording.Recorder

	layout *cgroupfs.Layout // see host
}

// lockPatience bounds how long a command waits for another one that changes the same container. The other command
// may be running hooks, which take time.
const lockPatience = 10 * time.Second

// createPatience bounds the wait for a create that is about to end. A caller that reacts to the pid file, or to
// something that the container does, may arrive before create has released its lock.
const createPatience = 3 * time.Second

func (r *Runtime) store() state.Store { return state.New(r.Root) }

// open locks a container for a change, and reads its stored state. It waits for a command that holds the lock
// briefly. If another command is still creating the container, which can take as long as the hooks do, it waits
// only for a short time unless wait is set. The caller closes the Dir.
func (r *Runtime) open(id string, wait bool) (*state.Dir, *state.State, error) {
	r.enter(phaseFind)
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

// load reads a container's state without locking it.
func (r *Runtime) load(id string) (*state.State, error) {
	r.enter(phaseFind)
	s, err := r.store().Load(id)
	return s, r.advise(id, err)
}

// advise adds to the error of a damaged state what to do about it.
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

// status returns the status of a container. mine says that this command itself holds the lock: then nobody will
// finish a create that is not finished.
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

// State returns the output of the command state.
func (r *Runtime) State(id string) (state.OCI, error) {
	s, err := r.load(id)
	if err != nil {
		return state.OCI{}, err
	}
	status, err := r.status(s, false)
	return s.OCI(status), err
}

// List returns every container of the root directory. A container whose state cannot be read does not hide the
// others: it is reported on standard error.
func (r *Runtime) List() ([]state.OCI, error) {
	if _, err := os.Stat(r.Root); r.RootGiven && errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("--root %s: %w (it is made with the first container)", r.Root, unix.ENOENT)
	}
	var all []state.OCI
	err := r.each(r.Log.Show, func(s *state.State, status string) { all = append(all, s.OCI(status)) })
	return all, err
}

// each calls do for every container of the root directory with its status, and damaged with the error of each whose
// state or status cannot be read.
func (r *Runtime) each(damaged func(error), do func(s *state.State, status string)) error {
	entries, err := r.store().List()
	if err != nil {
		return err
	}
	for _, e := range entries {
		var status string
		if e.Err == nil {
			status, e.Err = r.status(e.State, false)
		}
		if e.Err != nil {
			damaged(r.advise(e.ID, e.Err))
			continue
		}
		do(e.State, status)
	}
	return nil
}
