package container

import (
	"sync"

	"github.com/handfast/handfast/syncproto"
)

// MountRequest asks the parent to open a mount source that the child cannot reach (EACCES behind a directory that its
// user may not search). The parent replies with a detached copy of the mount there, open_tree(2) with OPEN_TREE_CLONE.
var MountRequest = syncproto.Exchange[MountArg, struct{}]{Row: syncproto.Row{
	Request: "mount", Reply: "mounted", ReplyFDs: one,
	Doc: "The child cannot reach a mount's source; the parent opens it.",
}}

// MountArg says which source is wanted.
type MountArg struct {
	Source    string `sync:"source"`              // absolute path on the host; the configuration must name it
	Recursive bool   `sync:"recursive,omitempty"` // with all the mounts below it
	// place among CONFIG's mounts, counted from one, of one that has ids; zero: any other
	Mount int `sync:"mount,omitempty"`
}

// HooksRequest has the parent run its prestart and createRuntime hooks.
var HooksRequest = syncproto.Exchange[struct{}, struct{}]{Row: syncproto.Row{
	Request: "hooks", Reply: "hooksDone", Max: 1,
	Doc: "The namespaces exist and the root is unchanged; the parent runs its hooks.",
}}

// ConsoleRequest hands the master of the terminal to the parent.
var ConsoleRequest = syncproto.Exchange[ConsoleArg, struct{}]{Row: syncproto.Row{
	Request: "console", Reply: "consoleTaken", Max: 1, RequestFDs: one,
	Doc: "The child hands over the master of its terminal.",
}}

// ConsoleArg comes with the master side of the terminal.
type ConsoleArg struct {
	Path string `sync:"path"` // the terminal's name inside the container, such as /dev/pts/0
}

// ReadyRequest waits for the parent's leave to go on: its state is stored and its limits are set by then.
var ReadyRequest = syncproto.Exchange[struct{}, struct{}]{Row: syncproto.Row{
	Request: "ready", Reply: "run", Min: 1, Max: 1, Next: phaseReleased,
	Doc: "All is set up; the parent commits, then lets the child go on.",
}}

// SeccompRequest tells the parent of a filter's listener, whose descriptor the parent takes with pidfd_getfd(2).
var SeccompRequest = syncproto.Exchange[SeccompArg, struct{}]{Row: syncproto.Row{
	Request: "seccomp", Reply: "seccompDone", Max: 1,
	Doc: "A filter with a listener is active; the parent fetches the descriptor by its number, " +
		"for the child may no longer send one.",
}}

// SeccompArg says where the listener is.
type SeccompArg struct {
	FD int `sync:"fd"` // the descriptor's number in the child
}

// SocketVariable is the environment variable that tells a child the number of its handshake socket: a process that has
// it is a child (docs/protocol.md, section 3). transport.Adopt takes it.
const SocketVariable = "HANDFAST_SOCKET"

// one is exactly one descriptor.
var one = syncproto.FDCount{Min: 1, Max: 1}

const (
	phaseSetup    = "setup"
	phaseReleased = "released"
)

// profile is one of this package's, made when it is first asked for. There is one of each in a process, for what was
// worked out of it, its hash and its stricter forms, is kept by its address.
type profile struct {
	once sync.Once
	p    *syncproto.Profile
}

var initProfile, setnsProfile, startProfile profile

func (p *profile) get(make func() *syncproto.Profile) *syncproto.Profile {
	p.once.Do(func() { p.p = make() })
	return p.p
}

// InitProfile is the profile of a container's first process: mounts, hooks, a console, then "ready" and "run", then
// EXEC. It is the same one at every call, and must not be changed: Profile.Require and Forbid make others of it.
func InitProfile() *syncproto.Profile { return initProfile.get(newInitProfile) }

func newInitProfile() *syncproto.Profile {
	return &syncproto.Profile{
		Name: "init", Doc: "A parent and the first process of a container.", ConfigFDs: configFDs,
		Phases: []syncproto.Phase{
			{Name: phaseSetup, Asker: syncproto.Child, Rows: []syncproto.Row{
				MountRequest.Row, HooksRequest.Row, ConsoleRequest.Row, ReadyRequest.Row,
			}},
			releasedPhase(),
		},
	}
}

// SetnsProfile is the profile of a process that joins a container: a console, then "ready" and "run", then EXEC.
// It is the same one at every call, as with InitProfile.
func SetnsProfile() *syncproto.Profile { return setnsProfile.get(newSetnsProfile) }

func newSetnsProfile() *syncproto.Profile {
	return &syncproto.Profile{
		Name: "setns", Doc: "A parent and a process that joins a running container.", ConfigFDs: configFDs,
		Phases: []syncproto.Phase{
			{Name: phaseSetup, Asker: syncproto.Child, Rows: []syncproto.Row{ConsoleRequest.Row, ReadyRequest.Row}},
			releasedPhase(),
		},
	}
}

// StartProfile is the profile of the start gate: who opens the gate is the parent, and the child that waited behind it
// executes, or says why it could not. It is the same one at every call, as with InitProfile.
func StartProfile() *syncproto.Profile { return startProfile.get(newStartProfile) }

func newStartProfile() *syncproto.Profile {
	return &syncproto.Profile{
		Name:   "start",
		Doc:    "Whoever starts a created container, and the first process that waits behind its gate.",
		Phases: []syncproto.Phase{releasedPhase()},
	}
}

// configFDs are the descriptors of CONFIG: namespaces to join and the gate.
var configFDs = syncproto.FDCount{Max: 32}

func releasedPhase() syncproto.Phase {
	return syncproto.Phase{
		Name: phaseReleased, Asker: syncproto.Child, Commit: true, Rows: []syncproto.Row{SeccompRequest.Row},
	}
}

// Narrow is a profile as this configuration wants it: what it asks for is required, what it does not ask for is
// forbidden. Both sides call it on the same configuration, so neither can skip hooks or a console, or make them up.
func (c *Config) Narrow(p *syncproto.Profile) *syncproto.Profile {
	p = narrow(p, HooksRequest.Row, c.Hooks.Runtime)
	p = narrow(p, ConsoleRequest.Row, c.Process.Terminal)
	// Behind a gate the filter is loaded in the conversation with who opens it.
	return narrow(p, SeccompRequest.Row, c.Process.Listens() && c.GateFD == 0)
}

func narrow(p *syncproto.Profile, r syncproto.Row, wanted bool) *syncproto.Profile {
	if wanted {
		return p.Require(r.Request)
	}
	return p.Forbid(r.Request)
}
