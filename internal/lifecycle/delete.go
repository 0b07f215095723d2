package lifecycle

import (
	"errors"
	"fmt"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/oci/state"
)

// Delete removes what is left of a container that is stopped, or created and was never started. With force the
// container is killed first, and one that does not exist is no error. Processes that have outlived the first one, for
// they share a pid namespace with others, end either way: managers delete such containers without force.
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

// deleteThis removes the container that was made as s and has ended, unless somebody else has deleted it meanwhile: a
// new one of the same name is left alone. Its group is borrowed; nil: it is opened anew.
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
