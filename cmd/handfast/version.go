package main

import (
	"runtime"
	"runtime/debug"
)

// version and commit are stamped by the build (-ldflags -X).
var version, commit string

// specVersion is the newest version of the runtime specification that is supported.
const specVersion = "1.3.0"

// versionText returns the text that container managers parse: a first line of three words, then "commit: " and "spec:
// ". Every line is always there, because some managers count lines.
func versionText() string {
	v, c := versionAndCommit()
	return "handfast version " + v + "\ncommit: " + c + "\nspec: " + specVersion + "\ngo: " + runtime.Version() + "\n"
}

// versionAndCommit returns what the build stamped; a version that it did not stamp is "unknown".
func versionAndCommit() (v, c string) {
	v, c = version, commit
	if v == "" {
		v = "unknown"
	}
	if c == "" {
		c = buildCommit()
	}
	return v, c
}

// buildCommit returns the commit that the go command recorded, or "unknown".
func buildCommit() string {
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
