package main

import (
	"fmt"

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
