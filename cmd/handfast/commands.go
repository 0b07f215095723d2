package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/lifecycle"
	"github.com/handfast/handfast/internal/signals"
)

// runtime returns the runtime as the global options configure it.
func (in *invocation) runtime() (*lifecycle.Runtime, error) {
	root, err := filepath.Abs(lifecycle.RootDir(in.root, lifecycle.Privileged(), os.Getenv("XDG_RUNTIME_DIR")))
	if err != nil {
		return nil, err
	}
	return &lifecycle.Runtime{
		Root: root, RootGiven: in.root != "", Log: in.log,
		CgroupManager: in.cgroupManager, Recorder: in.recorder,
		CgroupOptional: in.rootless == "true" || in.rootless != "false" && !lifecycle.Privileged(),
	}, nil
}

// interruptible returns a context that is cancelled when a signal asks this process to end, so that a command undoes
// what it has begun. It holds for the rest of the process's life.
func interruptible() context.Context {
	ctx, err := signals.Interruptible()
	if err != nil {
		// No descriptor is left to wait for signals with, so a signal ends the process at once, and delete cleans up.
		return context.Background()
	}
	return ctx
}

func (in *invocation) createOptions() lifecycle.CreateOptions {
	return lifecycle.CreateOptions{
		ID: in.args[0], Bundle: in.bundle, Config: in.config, PIDFile: in.pidFile, ConsoleSocket: in.consoleSocket,
		PIDFDSocket: in.pidfdSocket, PreserveFDs: in.preserveFDs, NoPivot: in.noPivot, NoNewKeyring: in.noNewKeyring,
	}
}

func (in *invocation) create() (int, error) {
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	return 0, r.Create(interruptible(), in.createOptions())
}

func (in *invocation) start() (int, error) {
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	return 0, r.Start(interruptible(), in.args[0])
}

func (in *invocation) run() (int, error) {
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	return r.Run(interruptible(), lifecycle.RunOptions{
		CreateOptions: in.createOptions(), Detach: in.detach, Keep: in.keep, NoSubreaper: in.noSubreaper,
	})
}

func (in *invocation) state() (int, error) {
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	s, err := r.State(in.args[0])
	if err != nil {
		return failed, err
	}
	return printText(lifecycle.StateJSON(s))
}

func (in *invocation) kill() (int, error) {
	sig := unix.SIGTERM
	if len(in.args) > 1 {
		var err error
		if sig, err = lifecycle.ParseSignal(in.args[1]); err != nil {
			return failed, err
		}
	}
	return in.forEachContainer(in.args[:1], func(r *lifecycle.Runtime, id string) error { return r.Kill(id, sig, in.all) })
}

func (in *invocation) delete() (int, error) {
	return in.forEachContainer(in.args, func(r *lifecycle.Runtime, id string) error { return r.Delete(id, in.force) })
}

// forEachContainer calls do for every named container, or with --regex for every one that matches. It goes on after an
// error, so that one container does not hold up the others.
func (in *invocation) forEachContainer(names []string, do func(r *lifecycle.Runtime, id string) error) (int, error) {
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	ids := names
	if in.regex {
		ids = nil
		for _, expression := range names {
			matching, err := r.Matching(expression)
			if err != nil {
				return failed, err
			}
			ids = append(ids, matching...)
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
	}
	var errs []error
	several := len(ids) > 1 || in.regex
	for _, id := range ids {
		in.log.About(in.command.name, id)
		if several {
			in.recorder.Enter("container " + id)
		}
		if err := do(r, id); err != nil {
			if several {
				err = fmt.Errorf("%s: %w", id, err)
			}
			errs = append(errs, err)
		}
	}
	if several {
		in.log.About(in.command.name, "") // the error may be about any of them
	}
	return 0, lifecycle.Join(errs...)
}

func (in *invocation) mounts() (int, error) {
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	switch in.args[0] {
	case "add":
		return 0, r.AddMounts(in.args[1], in.args[2])
	case "remove":
		return 0, r.RemoveMounts(in.args[1], in.args[2])
	}
	return failed, fmt.Errorf("mounts %q: want add or remove", in.args[0])
}

func (in *invocation) list() (int, error) {
	if in.format != "" && in.format != "table" && in.format != "json" {
		return failed, fmt.Errorf("list: --format %q: want table or json", in.format)
	}
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	all, err := r.List()
	if err != nil {
		return failed, err
	}
	switch {
	case in.quiet:
		return printText(lifecycle.IDs(all))
	case in.format == "json":
		return printText(lifecycle.JSON(all))
	}
	return printText(lifecycle.Table(all))
}
