package oci

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/handfast/handfast/syncproto/container"
)

// hooks sorts the hooks by where they run: runtime.md "Lifecycle".
func (c *conversion) hooks() error {
	h := c.spec.Hooks
	if h == nil {
		return nil
	}
	for _, list := range [...]struct {
		name string
		in   []Hook
		into *[]container.Hook
	}{
		{"prestart", h.Prestart, &c.out.Hooks.Prestart},
		{"createRuntime", h.CreateRuntime, &c.out.Hooks.CreateRuntime},
		{"createContainer", h.CreateContainer, &c.cfg.Hooks.CreateContainer},
		{"startContainer", h.StartContainer, &c.cfg.Hooks.StartContainer},
		{"poststart", h.Poststart, &c.out.Hooks.Poststart},
		{"poststop", h.Poststop, &c.out.Hooks.Poststop},
	} {
		for i, in := range list.in {
			out, err := hook(fmt.Sprintf("hooks.%s[%d]", list.name, i), in)
			if err != nil {
				return err
			}
			*list.into = append(*list.into, out)
		}
	}
	c.cfg.Hooks.Runtime = len(c.out.Hooks.Prestart)+len(c.out.Hooks.CreateRuntime) > 0
	if len(c.cfg.Hooks.CreateContainer)+len(c.cfg.Hooks.StartContainer) > 0 {
		return c.hookState()
	}
	return nil
}

func hook(at string, in Hook) (container.Hook, error) {
	// As with runc, a hook without env inherits one, and a hook with an empty list has none.
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

// hookState is what the child's hooks get on their standard input. The child adds what it alone knows: status and pid.
func (c *conversion) hookState() error {
	b, err := json.Marshal(struct {
		Version     string            `json:"ociVersion"`
		ID          string            `json:"id"`
		Bundle      string            `json:"bundle"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}{c.spec.Version, c.opt.ID, c.opt.Bundle, c.spec.Annotations})
	c.cfg.State = string(b)
	return err
}
