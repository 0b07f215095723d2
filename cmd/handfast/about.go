package main

import (
	"encoding/json"
	"fmt"

	"github.com/handfast/handfast/internal/lifecycle"
)

// features prints what the runtime can do, in the specification's form.
func (in *invocation) features() (int, error) {
	v, c := stamps()
	text, err := json.MarshalIndent(lifecycle.Features(v, c), "", "  ")
	if err != nil {
		return failed, err
	}
	return answer(string(text) + "\n")
}

// showVersion is --version as a command.
func (in *invocation) showVersion() (int, error) { return answer(versionText()) }

// info prints what the runtime finds on this host.
func (in *invocation) info() (int, error) {
	switch in.format {
	case "", "text", "json":
	default:
		return failed, fmt.Errorf("info: --format %q: want text or json", in.format)
	}
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	facts, err := r.Info()
	if err != nil {
		return failed, err
	}
	facts.Version, facts.Commit = stamps()
	if in.format == "json" {
		text, err := json.MarshalIndent(facts, "", "  ")
		if err != nil {
			return failed, err
		}
		return answer(string(text) + "\n")
	}
	return answer(facts.Text())
}
