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

// runtime is what the global options make of the runtime.
func (in *invocation) runtime() (*lifecycle.Runtime, error) {
	root, err := filepath.Abs(lifecycle.RootDir(in.root, lifecycle.Privileged(), os.Getenv("XDG_RUNTIME_DIR")))
	if err != nil {
		return nil, err
	}
	return &lifecycle.Runtime{
		Root: root, RootGiven: in.root != "", Log: in.log,
		CgroupManager:  in.cgroupManager,
		CgroupOptional: in.rootless == "true" || in.rootless != "false" && !lifecycle.Privileged(),
	}, nil
}

// interruptible is done when somebody asks this process to end, so that what it is making is undone and not left
// behind. It is for the process's whole life.
func interruptible() context.Context {
	ctx, err := signals.Interruptible()
	if err != nil {
		// No descriptor is left: a signal ends the process as it is, and delete removes what it was making.
		return context.Background()
	}
	return ctx
}

func (in *invocation) createOptions() lifecycle.CreateOptions {
	return lifecycle.CreateOptions{
		ID: in.args[0], Bundle: in.bundle, Config: in.config, PIDFile: in.pidFile, ConsoleSocket: in.consoleSocket,
		PIDFDSocket: in.pidfdSocket, PreserveFDs: in.preserveFDs, NoPivot: in.noPivot, NoNewKeyring: in.noNewKeyring,
		Trace: in.trace,
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
	return 0, r.Start(interruptible(), in.args[0], in.trace)
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
	return answer(lifecycle.StateJSON(s))
}

func (in *invocation) kill() (int, error) {
	sig := unix.SIGTERM
	if len(in.args) > 1 {
		var err error
		if sig, err = lifecycle.ParseSignal(in.args[1]); err != nil {
			return failed, err
		}
	}
	return in.each(in.args[:1], func(r *lifecycle.Runtime, id string) error { return r.Kill(id, sig, in.all) })
}

func (in *invocation) delete() (int, error) {
	return in.each(in.args, func(r *lifecycle.Runtime, id string) error { return r.Delete(id, in.force) })
}

// each does something to every container that is named, or with --regex to all that match. It goes on after an error,
// so that one container does not keep the others.
func (in *invocation) each(names []string, do func(r *lifecycle.Runtime, id string) error) (int, error) {
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
	for _, id := range ids {
		if err := do(r, id); err != nil {
			if len(ids) > 1 || in.regex {
				err = fmt.Errorf("%s: %w", id, err)
			}
			errs = append(errs, err)
		}
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
		return answer(lifecycle.IDs(all))
	case in.format == "json":
		return answer(lifecycle.JSON(all))
	}
	return answer(lifecycle.Table(all))
}
