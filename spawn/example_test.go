package spawn_test

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// A child in namespaces of its own. The program calls nsinit.Main first, for it is its own child.
func ExampleStart() {
	cfg := spawn.Config{
		Namespaces: []spawn.Namespace{{Kind: container.NSPid}, {Kind: container.NSMount}, {Kind: container.NSUTS}},
		Files:      [3]*os.File{nil, os.Stdout, os.Stderr},
	}
	cfg.Container.ID, cfg.Container.Hostname = "web", "web"
	cfg.Container.Root.Path = "/srv/web/rootfs"
	cfg.Container.Process = container.Process{Args: []string{"/bin/server"}, Cwd: "/"}
	p, err := spawn.Start(context.Background(), cfg)
	if err != nil {
		fmt.Println(err) // one line: the step, the operation, the path; errors.Is reaches the errno
		return
	}
	status, err := p.Wait(context.Background())
	fmt.Println(status.ExitStatus(), err)
}

// One more process in a container that runs: it joins by a descriptor of the container's first process, so the number
// of that one cannot come to mean another.
func ExampleStart_target() {
	fd, err := unix.PidfdOpen(4711, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	first := os.NewFile(uintptr(fd), "pidfd")
	defer first.Close()
	cfg := spawn.Config{
		Target: &spawn.Target{PIDFD: first, Kinds: []string{container.NSPid, container.NSMount, container.NSUTS}},
		Files:  [3]*os.File{os.Stdin, os.Stdout, os.Stderr},
	}
	cfg.Container.Process = container.Process{Args: []string{"/bin/sh"}, Cwd: "/"}
	p, err := spawn.Start(context.Background(), cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	status, err := p.Wait(context.Background())
	fmt.Println(status.ExitStatus(), err)
}
