package main

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// version and commit are stamped by the build (-ldflags -X), see the Makefile.
var version, commit string

// release is what a build calls itself that nobody has stamped, such as one by "go build" in a clone without tags: the
// release that this source becomes, and that it is not that yet.
const release = "0.1.0-dev"

// specVersion is the newest version of the runtime specification that config.json is read by.
const specVersion = "1.3.0"

// versionText returns the text that container managers parse: a first line of three words, then "commit: " and "spec:
// ". Every line is always there, because some managers count lines.
func versionText() string {
	v, c := stamps()
	return "handfast version " + v + "\ncommit: " + c + "\nspec: " + specVersion + "\ngo: " + runtime.Version() + "\n"
}

// stamps are the version, without the v of its tag, and the commit. What nobody has stamped is what the go command
// recorded: the version of the module for "go install ...@v0.1.0", the commit for a build in a clone.
func stamps() (v, c string) {
	info, _ := debug.ReadBuildInfo()
	return stampsOf(version, commit, info)
}

func stampsOf(version, commit string, info *debug.BuildInfo) (v, c string) {
	v, c = version, commit
	if info == nil {
		info = &debug.BuildInfo{}
	}
	// The go command makes a version v0.0.0-TIME-COMMIT up for a commit with no tag before it, which says nothing.
	if main := info.Main.Version; v == "" && strings.HasPrefix(main, "v") && !strings.HasPrefix(main, "v0.0.0-") {
		v = main
	}
	if v == "" {
		v = release
	}
	if c == "" {
		c = "unknown"
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				c = s.Value
			}
		}
	}
	return strings.TrimPrefix(v, "v"), c
}
