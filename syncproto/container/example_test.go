package container_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// A whole program with a child of its own in place of nsinit's: it speaks the profile "init", makes no container, and
// refuses what it cannot do.
func Example() {
	child() // first of all: in the child this does not return

	cfg := spawn.Config{Files: [3]*os.File{nil, os.Stdout, os.Stderr}}
	cfg.Container.ID = "plain"
	cfg.Container.Process = container.Process{Args: []string{"/bin/echo", "hello"}, Cwd: "/", KeepGroups: true}
	run(cfg)
	cfg.Container.Hostname = "other"
	run(cfg)
	// Output:
	// hello
	// exit status 0 <nil>
	// this child sets no host name
}

func run(cfg spawn.Config) {
	process, err := spawn.Start(context.Background(), cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer process.Release()
	status, err := process.Wait(context.Background())
	fmt.Println("exit status", status.ExitStatus(), err)
}

// child returns at once unless this process is a child.
func child() {
	conn, ok, err := transport.Adopt(container.SocketVariable)
	if !ok {
		return
	}
	var peer *transport.Child
	if err == nil {
		peer, err = transport.NewChild(conn, container.InitProfile(), transport.Options{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = peer.Fail(context.Background(), become(context.Background(), peer)) // the parent's Start returns this error
	os.Exit(1)
}

// become turns the process into the program. It returns only with an error.
func become(ctx context.Context, peer *transport.Child) error {
	value, fds, err := peer.Accept(ctx)
	if err != nil {
		return err
	}
	transport.CloseAll(fds)
	var cfg container.Config
	if err := syncproto.FromValue(value, &cfg, true); err != nil {
		return err
	}
	p := &cfg.Process
	switch {
	case cfg.Hostname != "":
		return errors.New("this child sets no host name")
	case !p.KeepGroups || len(cfg.Mounts)+len(cfg.Namespaces) > 0 || p.Terminal || cfg.GateFD > 0: // and so on
		return errors.New("this child makes no container")
	}
	// Both sides narrow the profile by the same configuration, so neither can skip a part of it.
	if err := peer.Narrow(cfg.Narrow(container.InitProfile())); err != nil {
		return err
	}
	if err := peer.Confirm(ctx); err != nil {
		return err
	}
	if _, _, err := transport.Call(ctx, peer, container.ReadyRequest, struct{}{}); err != nil {
		return err
	}
	if err := peer.Exec(ctx); err != nil {
		return err
	}
	return &os.PathError{Op: "execve", Path: p.Args[0], Err: unix.Exec(p.Args[0], p.Args, p.Env)}
}
