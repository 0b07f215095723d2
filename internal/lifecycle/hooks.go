package lifecycle

import (
	"context"
	"encoding/json"

	"github.com/handfast/handfast/internal/hooks"
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

func hookInput(s *state.State, status string) ([]byte, error) { return json.Marshal(s.Hook(status)) }
