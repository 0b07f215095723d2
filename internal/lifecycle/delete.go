package lifecycle

import (
	"errors"
	"fmt"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/oci/state"
)

// Delete removes what is left of a container that is stopped, or that was created but never started. With force it
// kills the container first, and a container that does not exist is no error. Processes can outlive the first one
// if they share a pid namespace with others. Delete ends them with or without force, because managers delete such
// containers without it.
func (r *Runtime) Delete(id string, force bool) error {
	dir, s, err := r.open(id, force)
	switch {
	case errors.Is(err, state.ErrNotExist) && force:
		return nil
	case errors.Is(err, state.ErrDamaged) && force:
		return r.deleteDamaged(id)
	case err != nil:
		return err
	}
	defer dir.Close()
	status, err := r.status(s, true)
	if err != nil {
		return err
	}
	if (status == state.Running || status == state.Paused) && !force {
		return fmt.Errorf("cannot delete container %s that is not stopped: %s (kill it first, or use --force)", id, status)
	}
	return r.destroy(dir, s)
}

// deleteThis removes the container that was made as s and has ended, unless another command has deleted it
// meanwhile: it leaves a new container of the same name alone. It borrows the group held; if that is nil, it opens
// the group.
func (r *Runtime) deleteThis(s *state.State, held *cgroupfs.Group) error {
	dir, now, err := r.open(s.ID, true)
	if errors.Is(err, state.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	if now.PID != s.PID || now.StartTime != s.StartTime {
		return nil
	}
	group := r.group(now)
	group.Held = held
	return r.destroyWith(dir, now, group)
}
