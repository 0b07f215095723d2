// Command container is the program of the README that starts a container: a shell in namespaces of its own, on the
// host's root file system, read-only. Run it as root:
//
//	go run ./docs/example/container
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/nsinit"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

func main() {
	nsinit.Main() // spawn.Start executes this program again as its child: there, Main does not return

	ctx := context.Background()
	process, err := spawn.Start(ctx, spawn.Config{
		Namespaces: []spawn.Namespace{
			{Kind: container.NSPid}, {Kind: container.NSMount}, {Kind: container.NSUTS}, {Kind: container.NSNetwork},
		},
		Files: [3]*os.File{os.Stdin, os.Stdout, os.Stderr},
		// What is not said here is the safe choice: no capabilities, no groups, no variable of the caller's.
		Container: spawn.Container{
			ID: "web", Hostname: "web",
			Root:   container.Root{Path: "/", Readonly: true},
			Mounts: []container.Mount{{Destination: "/proc", Type: "proc", Source: "proc"}},
			Process: container.Process{
				Args: []string{"sh", "-c", "echo I am process $$ of $(uname -n); exit 42"},
				Env:  []string{"PATH=/usr/bin:/bin"}, Cwd: "/",
			},
		},
	})
	if errors.Is(err, unix.ENOENT) { // the errno of the child's failed step, across the process boundary
		fmt.Fprintln(os.Stderr, "this host has no shell:", err)
		os.Exit(1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err) // one line: the step, the operation, the path
		os.Exit(1)
	}
	defer process.Release()
	status, err := process.Wait(ctx)
	fmt.Println("exit status", status.ExitStatus(), err)
}
