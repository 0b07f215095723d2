package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/handfast/handfast/internal/lifecycle"
)

func (in *invocation) pause() (int, error) {
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	return 0, r.Pause(interruptible(), in.args[0])
}

func (in *invocation) resume() (int, error) {
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	return 0, r.Resume(interruptible(), in.args[0])
}

func (in *invocation) ps() (int, error) {
	if in.format != "" && in.format != "table" && in.format != "json" {
		return failed, fmt.Errorf("ps: --format %q: want table or json", in.format)
	}
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	pids, err := r.Processes(in.args[0])
	if err != nil {
		return failed, err
	}
	if in.format == "json" {
		return printText(lifecycle.ProcessesJSON(pids))
	}
	text, err := lifecycle.ProcessTable(interruptible(), pids, in.args[1:])
	if err != nil {
		return failed, err
	}
	return printText(text)
}

func (in *invocation) events() (int, error) {
	o := lifecycle.EventsOptions{Interval: 5 * time.Second, Once: in.once}
	var err error
	if in.interval != "" {
		if o.Interval, err = time.ParseDuration(in.interval); err != nil || o.Interval <= 0 {
			return failed, fmt.Errorf("events: --interval %q: want a duration above zero, such as 5s", in.interval)
		}
	}
	if o.Pressure, err = lifecycle.ParseTriggers(in.pressure); err != nil {
		return failed, fmt.Errorf("events: --pressure: %w", err)
	}
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	return 0, r.Events(context.Background(), in.args[0], o, os.Stdout) // a signal may simply end it
}
