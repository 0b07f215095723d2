package main

import (
	"encoding/json"
	"fmt"

	"github.com/handfast/handfast/internal/lifecycle"
)

// features prints what the runtime supports, in the form of the runtime specification's features.md.
func (in *invocation) features() (int, error) {
	v, c := stamps()
	text, err := json.MarshalIndent(lifecycle.Features(v, c), "", "  ")
	if err != nil {
		return failed, err
	}
	return printText(string(text) + "\n")
}

// showVersion prints what --version does.
func (in *invocation) showVersion() (int, error) { return printText(versionText()) }

// info prints what the runtime found out about this host.
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
		return printText(string(text) + "\n")
	}
	return printText(facts.Text())
}
