package lifecycle

import (
	"context"
	"fmt"

	"github.com/handfast/handfast/internal/account"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/spawn"
)

// Start lets a created container execute its process, and returns once it has done so. If the execution fails,
// Start returns the error unchanged, with its errno, and the container is then stopped.
func (r *Runtime) Start(ctx context.Context, id string) error {
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
		return fmt.Errorf("container %s: %s", id, notStarted(status))
	}
	if s.NoProcess {
		return fmt.Errorf("cannot start container %s: its configuration has no process", id)
	}
	account.End("container found")
	r.enter(phaseGate)
	ready, err := listenForReadiness(dir.Path(""))
	if err != nil {
		return err
	}
	defer ready.close()
	if err := r.openGate(ctx, s); err != nil {
		// The child ends by itself after an error of its own. If it was not reached or does not reply, it is killed
		// here.
		return Join(r.starved(err, s), r.end(s))
	}
	if err := r.poststart(ctx, s); err != nil {
		r.Log.KeepPhase()
		return Join(err, r.destroy(dir, s))
	}
	_ = dir.Close() // other commands may change the container during the wait
	return r.awaitReadiness(ctx, ready, id, s.PID, s.StartTime)
}

// notStarted returns runc's words for why a container with this status, which is not created, cannot be started.
func notStarted(status string) string {
	switch status {
	case state.Running:
		return "cannot start an already running container"
	case state.Stopped:
		return "cannot start a container that has stopped"
	}
	return "cannot start a container in the " + status + " state"
}

// openGate opens the gate of a created container. If the container's filter has a listener, openGate hands that to
// the agent.
func (r *Runtime) openGate(ctx context.Context, s *state.State) error {
	g := spawn.Gate{Path: s.Gate, Trace: r.traceConversation(), Deadlines: unhurried}
	if s.Seccomp == "" {
		return spawn.OpenGate(ctx, g)
	}
	a := &agent{state: s, status: state.Created}
	if s.Seccomp == state.SeccompListener {
		var err error
		if a.entry, err = r.keptFilter(s); err != nil {
			return err
		}
	}
	h, err := openProcess(s.PID, s.StartTime)
	if err != nil {
		return fmt.Errorf("cannot start container %s: %w", s.ID, err)
	}
	defer h.close()
	g.Listener, g.PID, g.PIDFD = a.listener(), s.PID, h.pidfd
	return a.explain(spawn.OpenGate(ctx, g))
}
