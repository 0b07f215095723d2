package spawn_test

import (
	"context"
	"fmt"
	"os"

	"github.com/handfast/handfast/nsinit"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// A whole program, to be run as root: a shell in namespaces of its own, on the host's root file system, read-only.
func Example() {
	nsinit.Main() // Start executes this program anew as its child: there, this does not return

	process, err := spawn.Start(context.Background(), web())
	if err != nil {
		fmt.Println(err) // one line: the step, the operation, the path; errors.Is reaches the child's errno
		return
	}
	defer process.Release()
	status, err := process.Wait(context.Background())
	fmt.Println("exit status", status.ExitStatus(), err)
	// Output:
	// I am process 1 of web, user 0 in the groups 0
	// exit status 42 <nil>
}

// web is a container. What it does not say is the safe choice: no capabilities, no groups, no variable or descriptor of
// the caller's.
func web() spawn.Config {
	return spawn.Config{
		Namespaces: []spawn.Namespace{
			{Kind: container.NSPid}, {Kind: container.NSMount}, {Kind: container.NSUTS}, {Kind: container.NSIPC},
			{Kind: container.NSNetwork},
		},
		Files: [3]*os.File{nil, os.Stdout, os.Stderr},
		Container: spawn.Container{
			ID: "web", Hostname: "web",
			Root:   container.Root{Path: "/", Readonly: true},
			Mounts: []container.Mount{{Destination: "/proc", Type: "proc", Source: "proc"}},
			Process: container.Process{
				Args: []string{"sh", "-c", "echo I am process $$ of $(uname -n), user $(id -u) in the groups $(id -G); exit 42"},
				Env:  []string{"PATH=/usr/bin:/bin"},
				Cwd:  "/",
			},
		},
	}
}
