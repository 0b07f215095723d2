package container

import (
	"sync"

	"github.com/handfast/handfast/syncproto"
)

// MountRequest has the parent open a mount source that the child cannot reach (EACCES, because its user may not search
// a directory). The parent replies with a detached copy of the mount there, made by open_tree(2) with OPEN_TREE_CLONE.
var MountRequest = syncproto.Exchange[MountArg, struct{}]{Row: syncproto.Row{
	Request: "mount", Reply: "mounted", ReplyFDs: oneFD,
	Doc: "The child cannot reach a mount's source; the parent opens it.",
}}

// MountArg identifies the source.
type MountArg struct {
	Source    string `sync:"source"`              // absolute path on the host; the configuration must name it
	Recursive bool   `sync:"recursive,omitempty"` // with all mounts below it
	// place among CONFIG's mounts, counted from one, of one that has ids; zero: any other
	Mount int `sync:"mount,omitempty"`
}

// HooksRequest has the parent run its prestart and createRuntime hooks.
var HooksRequest = syncproto.Exchange[struct{}, struct{}]{Row: syncproto.Row{
	Request: "hooks", Reply: "hooksDone", Max: 1,
	Doc: "The namespaces exist and the root is unchanged; the parent runs its hooks.",
}}

// ConsoleRequest passes the master of the terminal to the parent.
var ConsoleRequest = syncproto.Exchange[ConsoleArg, struct{}]{Row: syncproto.Row{
	Request: "console", Reply: "consoleTaken", Max: 1, RequestFDs: oneFD,
	Doc: "The child hands over the master of its terminal.",
}}

// ConsoleArg describes the terminal whose master is sent along.
type ConsoleArg struct {
	Path string `sync:"path"` // the terminal's name inside the container, such as /dev/pts/0
}

// ReadyRequest waits until the parent lets the child go on. By then the parent has stored its state and set the limits.
var ReadyRequest = syncproto.Exchange[struct{}, struct{}]{Row: syncproto.Row{
	Request: "ready", Reply: "run", Min: 1, Max: 1, Next: phaseReleased,
	Doc: "The set-up is complete; the parent commits, then lets the child go on.",
}}

// SeccompRequest gives the parent the number of a filter's listener; the parent takes the descriptor with
// pidfd_getfd(2).
var SeccompRequest = syncproto.Exchange[SeccompArg, struct{}]{Row: syncproto.Row{
	Request: "seccomp", Reply: "seccompDone", Max: 1,
	Doc: "A filter with a listener is active; the parent fetches the descriptor by its number, " +
		"for the child may no longer send one.",
}}

// SeccompArg holds the number of the listener's descriptor.
type SeccompArg struct {
	FD int `sync:"fd"` // the descriptor's number in the child
}

// SocketVariable is the environment variable that holds the number of the child's handshake socket. A process that has
// the variable is a child (docs/protocol.md, section 3). transport.Adopt reads and unsets it.
const SocketVariable = "HANDFAST_SOCKET"

// oneFD stands for exactly one descriptor.
var oneFD = syncproto.FDCount{Min: 1, Max: 1}

const (
	phaseSetup    = "setup"
	phaseReleased = "released"
)

// profile is one of the profiles of this package, built on first use. A process has only one of each, because results
// derived from a profile, its hash and its stricter forms, are cached by its address.
type profile struct {
	once sync.Once
	p    *syncproto.Profile
}

var initProfile, setnsProfile, startProfile profile

func (p *profile) get(make func() *syncproto.Profile) *syncproto.Profile {
	p.once.Do(func() { p.p = make() })
	return p.p
}

// InitProfile returns the profile of a container's first process: mounts, hooks, a console, then "ready" and "run",
// then EXEC. Every call returns the same profile, which must not be changed; Profile.Require and Forbid derive others
// from it.
func InitProfile() *syncproto.Profile { return initProfile.get(newInitProfile) }

func newInitProfile() *syncproto.Profile {
	return &syncproto.Profile{
		Name: "init", Doc: "A parent and the first process of a container.", ConfigFDs: configFDs,
		Phases: []syncproto.Phase{
			{Name: phaseSetup, Requester: syncproto.Child, Rows: []syncproto.Row{
				MountRequest.Row, HooksRequest.Row, ConsoleRequest.Row, ReadyRequest.Row,
			}},
			releasedPhase(),
		},
	}
}

// SetnsProfile returns the profile of a process that joins a container: a console, then "ready" and "run", then EXEC.
// Every call returns the same profile, as for InitProfile.
func SetnsProfile() *syncproto.Profile { return setnsProfile.get(newSetnsProfile) }

func newSetnsProfile() *syncproto.Profile {
	return &syncproto.Profile{
		Name: "setns", Doc: "A parent and a process that joins a running container.", ConfigFDs: configFDs,
		Phases: []syncproto.Phase{
			{Name: phaseSetup, Requester: syncproto.Child, Rows: []syncproto.Row{ConsoleRequest.Row, ReadyRequest.Row}},
			releasedPhase(),
		},
	}
}

// StartProfile returns the profile of the start gate: the process that opens the gate is the parent, and the child that
// waited behind it executes its program or reports why it could not. Every call returns the same profile, as for
// InitProfile.
func StartProfile() *syncproto.Profile { return startProfile.get(newStartProfile) }

func newStartProfile() *syncproto.Profile {
	return &syncproto.Profile{
		Name:   "start",
		Doc:    "The process that starts a created container, and the first process, which waits at its gate.",
		Phases: []syncproto.Phase{releasedPhase()},
	}
}

// configFDs are the descriptors sent with CONFIG: namespaces to join, the gate, the output of hooks, the streams.
var configFDs = syncproto.FDCount{Max: 32}

func releasedPhase() syncproto.Phase {
	return syncproto.Phase{
		Name: phaseReleased, Requester: syncproto.Child, Commit: true, Rows: []syncproto.Row{SeccompRequest.Row},
	}
}

// Narrow returns the profile that suits this configuration: the requests that it makes necessary are required, and
// those that it rules out are forbidden. Both sides call Narrow with the same configuration, so neither can skip hooks
// or a console, or invent them.
func (c *Config) Narrow(p *syncproto.Profile) *syncproto.Profile {
	p = narrow(p, HooksRequest.Row, c.Hooks.Runtime)
	p = narrow(p, ConsoleRequest.Row, c.Process.Terminal)
	// If there is a gate, the filter is loaded in the conversation with the process that opens it.
	return narrow(p, SeccompRequest.Row, c.Process.Listens() && c.GateFD == 0)
}

func narrow(p *syncproto.Profile, r syncproto.Row, wanted bool) *syncproto.Profile {
	if wanted {
		return p.Require(r.Request)
	}
	return p.Forbid(r.Request)
}
