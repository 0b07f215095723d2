package oci

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/handfast/handfast/syncproto/container"
)

// hookLists are the points of the life cycle that have hooks, in order, with the source and the destination of
// each list.
var hookLists = [...]struct {
	name string
	of   func(*Hooks) *[]Hook
	into func(*planner) *[]container.Hook
}{
	{"prestart", func(h *Hooks) *[]Hook { return &h.Prestart },
		func(c *planner) *[]container.Hook { return &c.out.Hooks.Prestart }},
	{"createRuntime", func(h *Hooks) *[]Hook { return &h.CreateRuntime },
		func(c *planner) *[]container.Hook { return &c.out.Hooks.CreateRuntime }},
	{"createContainer", func(h *Hooks) *[]Hook { return &h.CreateContainer },
		func(c *planner) *[]container.Hook { return &c.cfg.Hooks.CreateContainer }},
	{"startContainer", func(h *Hooks) *[]Hook { return &h.StartContainer },
		func(c *planner) *[]container.Hook { return &c.cfg.Hooks.StartContainer }},
	{"poststart", func(h *Hooks) *[]Hook { return &h.Poststart },
		func(c *planner) *[]container.Hook { return &c.out.Hooks.Poststart }},
	{"poststop", func(h *Hooks) *[]Hook { return &h.Poststop },
		func(c *planner) *[]container.Hook { return &c.out.Hooks.Poststop }},
}

// Annotations that name files for the output of hooks, as with crun.
const (
	HookStdout = "run.oci.hooks.stdout"
	HookStderr = "run.oci.hooks.stderr"
)

// hookOutput checks these annotations.
func (c *planner) hookOutput() error {
	for _, name := range []string{HookStdout, HookStderr} {
		file := c.spec.Annotations[name]
		if file == "" {
			continue
		}
		if !strings.HasPrefix(file, "/") {
			return wrong("annotations."+name, "%q is not absolute", file)
		}
	}
	return nil
}

// hooks sorts the hooks by the place where they run (runtime.md "Lifecycle").
func (c *planner) hooks() error {
	h := c.spec.Hooks
	if h == nil {
		return c.hookOutput()
	}
	for _, list := range hookLists {
		into := list.into(c)
		for i, in := range *list.of(h) {
			out, err := hook(fmt.Sprintf("hooks.%s[%d]", list.name, i), in)
			if err != nil {
				return err
			}
			*into = append(*into, out)
		}
	}
	if err := c.hookOutput(); err != nil {
		return err
	}
	c.cfg.Hooks.Runtime = len(c.out.Hooks.Prestart)+len(c.out.Hooks.CreateRuntime) > 0
	if len(c.cfg.Hooks.CreateContainer)+len(c.cfg.Hooks.StartContainer) > 0 {
		return c.hookState()
	}
	return nil
}

func hook(at string, in Hook) (container.Hook, error) {
	// As with runc, a hook without env inherits the environment, and a hook with an empty list gets an empty one.
	out := container.Hook{Path: in.Path, Args: in.Args, Env: in.Env, NoEnv: in.Env != nil && len(in.Env) == 0}
	if !strings.HasPrefix(in.Path, "/") {
		return out, wrong(at+".path", "%q is not absolute", in.Path)
	}
	if in.Timeout != nil {
		if *in.Timeout <= 0 {
			return out, wrong(at+".timeout", "%d; want a number of seconds above 0", *in.Timeout)
		}
		out.Timeout = *in.Timeout
	}
	return out, environment(at+".env", in.Env)
}

// hookState encodes the state that the child's hooks get on their standard input. The child adds the status and
// the pid, which only it knows.
func (c *planner) hookState() error {
	b, err := json.Marshal(struct {
		Version     string            `json:"ociVersion"`
		ID          string            `json:"id"`
		Bundle      string            `json:"bundle"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}{c.spec.Version, c.opt.ID, c.opt.Bundle, c.spec.Annotations})
	c.cfg.State = string(b)
	return err
}
