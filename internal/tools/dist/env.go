package main

import (
	"slices"
	"strings"
)

// fetching are the variables of the go command that say where modules come from and where they are kept, and nothing
// about what is made of them: go.sum has their checksums.
func fetching() []string {
	return []string{"GOPATH", "GOMODCACHE", "GOTMPDIR", "GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB",
		"GOINSECURE", "GOAUTH", "GOVCS"}
}

// buildEnv returns the environment of a build, given that of this process and the user's settings of the variables in
// fetching. The same commit must give the same bytes in it, so it has nothing else with which make and the go command
// change what they make: neither variables of theirs nor the user's file of them, and the Go that is on the PATH.
func buildEnv(environ []string, fetch map[string]string) []string {
	env := slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		switch name {
		case "VERSION", "COMMIT", "MFLAGS", "GNUMAKEFLAGS":
			return true
		}
		// All that begin so, because a new Go or make may have more of them.
		return strings.HasPrefix(name, "GO") || strings.HasPrefix(name, "CGO_") || strings.HasPrefix(name, "MAKE")
	})
	for _, name := range fetching() {
		if value := fetch[name]; value != "" {
			env = append(env, name+"="+value)
		}
	}
	return append(env, "GOENV=off", "GOTOOLCHAIN=local", "CGO_ENABLED=0")
}
