package main

import (
	"runtime"
	"runtime/debug"
)

// version and commit are stamped by the build (-ldflags -X).
var version, commit string

// specVersion is the newest version of the runtime specification that config.json is read by.
const specVersion = "1.3.0"

// versionText is what container managers parse: a first line of three words, then "commit: " and "spec: ".
func versionText() string {
	v, c := version, commit
	if v == "" {
		v = "unknown"
	}
	if c == "" {
		c = builtFrom()
	}
	text := "handfast version " + v + "\n"
	if c != "" {
		text += "commit: " + c + "\n"
	}
	return text + "spec: " + specVersion + "\ngo: " + runtime.Version() + "\n"
}

// builtFrom is the commit that the go command recorded, if it did.
func builtFrom() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
