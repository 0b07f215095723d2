package nsinit_test

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/nsinit"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// A complete program, to be run as root, that starts itself as its child. An error in the child becomes the
// parent's error, with the step, the operation, the path and the errno.
func Example() {
	nsinit.Main() // the first statement: in the child this does not return

	for _, c := range []spawn.Container{
		{Process: process("true")},
		{Process: process("no-such-program")},
		{Process: process("true"), Mounts: []container.Mount{{Destination: "/tmp", Type: "no-such-fs", Source: "none"}}},
	} {
		c.ID, c.Root = "example", container.Root{Path: "/"}
		child, err := spawn.Start(context.Background(), spawn.Config{
			Namespaces: []spawn.Namespace{{Kind: container.NSPid}, {Kind: container.NSMount}}, Container: c,
		})
		switch {
		case errors.Is(err, unix.ENOENT):
			fmt.Println("there is no such file:", err)
		case err != nil:
			fmt.Println(err)
		default:
			status, err := child.Wait(context.Background())
			fmt.Println("exit status", status.ExitStatus(), err)
			_ = child.Release()
		}
	}
	// Output:
	// exit status 0 <nil>
	// there is no such file: program: exec: "no-such-program": executable file not found in $PATH
	// mount /tmp: fsopen no-such-fs: no such device
}

func process(program string) container.Process {
	return container.Process{Args: []string{program}, Env: []string{"PATH=/usr/bin:/bin"}, Cwd: "/"}
}
