package syncproto

// Init is the profile of a container's first process: mounts, hooks, a console, then "ready" and "run", then EXEC.
// The bodies of its messages are the types of package container.
func Init() *Profile {
	return &Profile{
		Name:      "init",
		Doc:       "A parent and the first process of a container.",
		ConfigFDs: FDCount{0, 32},
		Phases: []Phase{
			{Name: "setup", Asker: Child, Rows: []Row{
				{Request: "mount", Reply: "mounted", ReplyFDs: FDCount{1, 1},
					Doc: "The child cannot reach a mount's source; the parent opens it."},
				{Request: "hooks", Reply: "hooksDone", Max: 1,
					Doc: "The namespaces exist and the root is unchanged; the parent runs its hooks."},
				{Request: "console", Reply: "consoleTaken", Max: 1, RequestFDs: FDCount{1, 1},
					Doc: "The child hands over the master of the container's terminal."},
				{Request: "ready", Reply: "run", Min: 1, Max: 1, Next: "released",
					Doc: "All is set up; the parent commits, then lets the child go on."},
			}},
			seccompPhase(),
		},
	}
}

// Setns is the profile of a process that joins a container: a console, then "ready" and "run", then EXEC.
func Setns() *Profile {
	return &Profile{
		Name:      "setns",
		Doc:       "A parent and a process that joins a running container.",
		ConfigFDs: FDCount{0, 32},
		Phases: []Phase{
			{Name: "setup", Asker: Child, Rows: []Row{
				{Request: "console", Reply: "consoleTaken", Max: 1, RequestFDs: FDCount{1, 1},
					Doc: "The child hands over the master of its terminal."},
				{Request: "ready", Reply: "run", Min: 1, Max: 1, Next: "released",
					Doc: "All is set up; the parent commits, then lets the child go on."},
			}},
			seccompPhase(),
		},
	}
}

// Start is the profile of the start gate: who opens the gate is the parent, and the child that waited behind it executes, or says why it could not.
func Start() *Profile {
	return &Profile{
		Name:   "start",
		Doc:    "Whoever starts a created container, and the first process that waits behind its gate.",
		Phases: []Phase{seccompPhase()},
	}
}

func seccompPhase() Phase {
	return Phase{Name: "released", Asker: Child, Commit: true, Rows: []Row{
		{Request: "seccomp", Reply: "seccompDone", Max: 1,
			Doc: "A filter with a listener is active; the parent fetches the descriptor by its number, for the child may no longer send one."},
	}}
}
