package main

import (
	"fmt"

	"github.com/handfast/handfast/internal/lifecycle"
	"github.com/handfast/handfast/internal/oci"
)

func (in *invocation) exec() (int, error) {
	changes, err := in.processChanges()
	if err != nil {
		return lifecycle.ExecFailed, err
	}
	r, err := in.runtime()
	if err != nil {
		return lifecycle.ExecFailed, err
	}
	return r.Exec(interruptible(), lifecycle.ExecOptions{
		ID: in.args[0], Process: in.processFile, Changes: *changes, PIDFile: in.pidFile, ConsoleSocket: in.consoleSocket,
		PIDFDSocket: in.pidfdSocket,
		Cgroup:      in.execCgroups, PreserveFDs: in.preserveFDs, Detach: in.detach,
		IgnorePaused: in.ignorePaused,
	})
}

// processChanges returns what the command line says about the process.
func (in *invocation) processChanges() (*oci.Changes, error) {
	args := in.args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	switch {
	case len(args) == 0 && in.processFile == "":
		return nil, fmt.Errorf("exec: there is no command: want handfast exec ID COMMAND [ARG...], or --process FILE")
	case len(args) > 0 && in.processFile != "":
		return nil, fmt.Errorf("exec: both a command and --process %s: want one of them", in.processFile)
	}
	c := &oci.Changes{
		Args: args, Cwd: in.cwd, Env: in.env, Capabilities: in.caps, NoNewPrivs: in.noNewPrivs, SelinuxLabel: in.processLabel,
		Apparmor: in.apparmor,
	}
	if in.tty {
		c.Terminal = &in.tty
	}
	if in.user != "" {
		var err error
		if c.User, err = oci.ParseUser(in.user); err != nil {
			return nil, fmt.Errorf("exec: --user: %w", err)
		}
	}
	for _, text := range in.additionalGIDs {
		gid, err := oci.ParseID(text)
		if err != nil {
			return nil, fmt.Errorf("exec: --additional-gids: %w", err)
		}
		c.AdditionalGIDs = append(c.AdditionalGIDs, gid)
	}
	return c, nil
}
