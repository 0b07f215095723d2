package main

import (
	"runtime"
	"runtime/debug"
)

// version and commit are stamped by the build (-ldflags -X).
var version, commit string

// specVersion is the newest version of the runtime specification that config.json is read by.
const specVersion = "1.3.0"

// versionText is what container managers parse: a first line of three words, then "commit: " and "spec: ". Each is
// there whatever is known, for who reads them counts lines.
func versionText() string {
	v, c := stamps()
	return "handfast version " + v + "\ncommit: " + c + "\nspec: " + specVersion + "\ngo: " + runtime.Version() + "\n"
}

// stamps are the version and the commit, unknown where nobody has stamped them.
func stamps() (v, c string) {
	v, c = version, commit
	if v == "" {
		v = "unknown"
	}
	if c == "" {
		c = builtFrom()
	}
	return v, c
}

// builtFrom is the commit that the go command recorded, or unknown.
func builtFrom() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "unknown"
}
