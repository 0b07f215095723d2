package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/handfast/handfast/internal/hooks"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/syncproto/container"
)

// runHooks runs the hooks of one kind, one after the other. Each gets the container's state with the given status
// on its standard input. It stops at the first hook that fails.
func (r *Runtime) runHooks(ctx context.Context, kind string, list []container.Hook, s *state.State,
	status string) error {
	if len(list) == 0 {
		return nil
	}
	r.enter(phaseHooks(kind))
	input, err := hookInput(s, status)
	if err != nil {
		return err
	}
	return hooks.Run(ctx, kind, list, input)
}

// hookFiles opens the files for the output of the hooks that the child runs. The caller closes them.
func (c *creation) hookFiles() (files [2]*os.File, err error) {
	h := &c.plan.Spawn.Container.Hooks
	if len(h.CreateContainer)+len(h.StartContainer) == 0 {
		return files, nil
	}
	for i, name := range [...]string{oci.HookStdout, oci.HookStderr} {
		path := c.state.Annotations[name]
		if path == "" {
			continue
		}
		if files[i], err = hooks.OpenOutput(path); err != nil {
			closeFiles(files)
			return [2]*os.File{}, c.inConfig(fmt.Errorf("annotations.%s: %w", name, err))
		}
	}
	return files, nil
}

func closeFiles(files [2]*os.File) {
	for _, f := range files {
		_ = f.Close() // closing a nil File is harmless: EINVAL
	}
}

func (r *Runtime) poststart(ctx context.Context, s *state.State) error {
	return r.runHooks(ctx, "poststart", s.Poststart, s, state.Running)
}

// hookInput returns the input of the hooks that run in this process's namespaces: the state, and the bundle as the
// working directory.
func hookInput(s *state.State, status string) (hooks.Input, error) {
	text, err := json.Marshal(s.Hook(status))
	return hooks.Input{Dir: s.Bundle, State: text, Stdout: s.Annotations[oci.HookStdout],
		Stderr: s.Annotations[oci.HookStderr]}, err
}
