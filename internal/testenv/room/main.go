package room

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Main carries out a command that uses rooms, and ends this process as Exit does. The context ends with SIGINT, SIGTERM
// and SIGHUP, so that the rooms and their groups are removed.
func Main(name string, run func(ctx context.Context) error) {
	if os.Geteuid() != 0 {
		Exit(name, errors.New("rooms are namespaces, devices, mounts and control groups: run it as root"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	err := run(ctx)
	stop()
	Exit(name, err)
}

// Exit ends this process: with status 1, and the error behind the command's name, or without an error with status 0.
func Exit(name string, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}
