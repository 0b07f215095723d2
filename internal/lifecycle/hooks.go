package lifecycle

import (
	"context"
	"encoding/json"

	"github.com/handfast/handfast/internal/hooks"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/syncproto/container"
)

// runHooks runs the hooks of one kind, one after the other, with the container's state in the given status on their standard input. The first that fails ends it.
func runHooks(ctx context.Context, kind string, list []container.Hook, s *state.State, status string) error {
	if len(list) == 0 {
		return nil
	}
	input, err := hookInput(s, status)
	if err != nil {
		return err
	}
	return hooks.Run(ctx, kind, list, input)
}

func (r *Runtime) poststart(ctx context.Context, s *state.State) error {
	return runHooks(ctx, "poststart", s.Poststart, s, state.Running)
}

// hookInput is what the hooks that run in this process's namespaces get: the state, and the bundle to work in.
func hookInput(s *state.State, status string) (hooks.Input, error) {
	text, err := json.Marshal(s.Hook(status))
	return hooks.Input{Dir: s.Bundle, State: text, Stdout: s.Annotations[oci.HookStdout], Stderr: s.Annotations[oci.HookStderr]}, err
}
