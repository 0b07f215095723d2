package main

import "github.com/handfast/handfast/internal/testenv/module"

// docker29 is the exercise of docker with the daemon of Docker 29, whose client is that of Debian. Each container has a
// time namespace there, of which Debian's runc knows nothing.
func docker29() manager {
	m := docker()
	m.name, m.control, m.byName = "docker-29", "runc", true
	m.built = []module.Program{
		{Module: "github.com/moby/moby/v2", Version: "v2.0.0-beta.24", Package: "cmd/dockerd",
			Variable: "github.com/moby/moby/v2/dockerversion.Version"},
		{Module: "github.com/containerd/containerd/v2", Version: "v2.4.2", Package: "cmd/containerd"},
		{Module: "github.com/containerd/containerd/v2", Version: "v2.4.2", Package: "cmd/containerd-shim-runc-v2"},
		{Module: "github.com/opencontainers/runc", Version: "v1.5.3", Tags: "seccomp", Cgo: true},
	}
	m.version, m.daemon, m.prepare = builtPrelude+m.version, builtPrelude+m.daemon, builtPrelude+m.prepare
	m.lines = prefixed(builtPrelude, m.lines)
	return m
}
