package container

import "github.com/handfast/handfast/syncproto"

// InitProfile is the profile of a container's first process: mounts, hooks, a console, then "ready" and "run", then
// EXEC.
func InitProfile() *syncproto.Profile {
	return &syncproto.Profile{
		Name:      "init",
		Doc:       "A parent and the first process of a container.",
		ConfigFDs: syncproto.FDCount{Max: 32},
		Phases: []syncproto.Phase{
			{Name: "setup", Asker: syncproto.Child, Rows: []syncproto.Row{
				{Request: "mount", Reply: "mounted", ReplyFDs: syncproto.FDCount{Min: 1, Max: 1},
					Doc: "The child cannot reach a mount's source; the parent opens it."},
				{Request: "hooks", Reply: "hooksDone", Max: 1,
					Doc: "The namespaces exist and the root is unchanged; the parent runs its hooks."},
				{Request: "console", Reply: "consoleTaken", Max: 1, RequestFDs: syncproto.FDCount{Min: 1, Max: 1},
					Doc: "The child hands over the master of the container's terminal."},
				{Request: "ready", Reply: "run", Min: 1, Max: 1, Next: "released",
					Doc: "All is set up; the parent commits, then lets the child go on."},
			}},
			seccompPhase(),
		},
	}
}

// SetnsProfile is the profile of a process that joins a container: a console, then "ready" and "run", then EXEC.
func SetnsProfile() *syncproto.Profile {
	return &syncproto.Profile{
		Name:      "setns",
		Doc:       "A parent and a process that joins a running container.",
		ConfigFDs: syncproto.FDCount{Max: 32},
		Phases: []syncproto.Phase{
			{Name: "setup", Asker: syncproto.Child, Rows: []syncproto.Row{
				{Request: "console", Reply: "consoleTaken", Max: 1, RequestFDs: syncproto.FDCount{Min: 1, Max: 1},
					Doc: "The child hands over the master of its terminal."},
				{Request: "ready", Reply: "run", Min: 1, Max: 1, Next: "released",
					Doc: "All is set up; the parent commits, then lets the child go on."},
			}},
			seccompPhase(),
		},
	}
}

// StartProfile is the profile of the start gate: who opens the gate is the parent, and the child that waited behind it
// executes, or says why it could not.
func StartProfile() *syncproto.Profile {
	return &syncproto.Profile{
		Name:   "start",
		Doc:    "Whoever starts a created container, and the first process that waits behind its gate.",
		Phases: []syncproto.Phase{{Name: "released", Asker: syncproto.Child, Commit: true}},
	}
}

func seccompPhase() syncproto.Phase {
	return syncproto.Phase{Name: "released", Asker: syncproto.Child, Commit: true, Rows: []syncproto.Row{
		{Request: "seccomp", Reply: "seccompDone", Max: 1,
			Doc: "A filter with a listener is active; the parent fetches the descriptor by its number, " +
				"for the child may no longer send one."},
	}}
}
