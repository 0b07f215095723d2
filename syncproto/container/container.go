// Package container holds the profiles "init", "setns" and "start", and what they carry: the body of CONFIG and the arguments
// of their requests.
//
// spawn (the parent) and nsinit (the child) never import each other. They share these values as two processes share a socket: each is turned into a
// syncproto.Value with syncproto.ToValue and back with syncproto.FromValue, and any codec carries that. A child in another language reads the same fields
// from docs/protocol.md.
package container

// Names of the requests of the profile "init", asked by the child, and of their replies.
const (
	ReqMount   = "mount"   // MountArg -> RepMount with one descriptor: a detached mount
	ReqHooks   = "hooks"   // nothing -> RepHooks, once prestart and createRuntime hooks have run
	ReqConsole = "console" // ConsoleArg with one descriptor, the pty master -> RepConsole
	ReqReady   = "ready"   // nothing -> RepRun: the parent has committed (state stored, limits set), go on
	ReqSeccomp = "seccomp" // a descriptor's number in the child -> RepSeccomp

	RepMount   = "mounted"
	RepHooks   = "hooksDone"
	RepConsole = "consoleTaken"
	RepRun     = "run"
	RepSeccomp = "seccompDone"
)

// MountArg asks the parent to open a mount source that the child cannot reach (EACCES behind a directory that its user may not search).
// The parent answers with a detached copy of the mount there, open_tree(2) with OPEN_TREE_CLONE.
type MountArg struct {
	Source    string `sync:"source"`
	Recursive bool   `sync:"recursive,omitempty"`
}

// ConsoleArg comes with the master side of the container's terminal.
type ConsoleArg struct {
	Path string `sync:"path"` // the terminal's name inside the container, such as /dev/pts/0
}
