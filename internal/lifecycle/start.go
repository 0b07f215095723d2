package lifecycle

import (
	"context"
	"fmt"

	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/spawn"
)

// Start lets a created container execute its process, and returns once it has. An error of the execution is returned as it was, with its errno; the container is stopped then.
func (r *Runtime) Start(ctx context.Context, id, trace string) error {
	dir, s, err := r.open(id, false)
	if err != nil {
		return err
	}
	defer dir.Close()
	status, err := r.status(s, true)
	if err != nil {
		return err
	}
	if status != state.Created {
		return fmt.Errorf("cannot start container %s: it is %s, not created", id, status)
	}
	if s.NoProcess {
		return fmt.Errorf("cannot start container %s: its configuration has no process", id)
	}
	t := &tracer{}
	if err := t.open(trace); err != nil {
		return err
	}
	defer t.close()
	err = spawn.OpenGate(ctx, spawn.Gate{Path: s.Gate, Trace: t.event()})
	if err != nil {
		// The child ends by itself after an error of its own; where it was not asked, or does not answer, it is ended.
		return Join(r.starved(err, s), r.end(s))
	}
	if err := r.poststart(ctx, s); err != nil {
		return Join(err, r.destroy(dir, s))
	}
	return nil
}
