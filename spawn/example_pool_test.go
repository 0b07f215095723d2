package spawn_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/handfast/handfast/nsinit"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// A function runner, to be run as root: every call is a process of its own, in new namespaces that wait for it already.
func ExamplePool() {
	nsinit.Main() // the pool executes this program anew as its children: there, this does not return

	pool, err := spawn.NewPool(spawn.PoolConfig{Template: sandbox(), Size: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	for _, input := range []string{"first", "second"} {
		output, err := call(pool, input, "sh", "-c", "read word; echo $word call, in process $$")
		fmt.Print(output, err, "\n")
	}
	// Output:
	// first call, in process 1
	// <nil>
	// second call, in process 1
	// <nil>
}

// sandbox is what all calls have in common.
func sandbox() spawn.Config {
	return spawn.Config{
		Compile: nsinit.Compile, // children of a few KiB, where the configuration and this machine allow it
		Namespaces: []spawn.Namespace{
			{Kind: container.NSPid}, {Kind: container.NSMount}, {Kind: container.NSUTS}, {Kind: container.NSIPC},
			{Kind: container.NSNetwork},
		},
		Container: spawn.Container{
			ID: "functions", Hostname: "functions",
			Root: container.Root{Path: "/", Readonly: true},
			Mounts: []container.Mount{
				{Destination: "/proc", Type: "proc", Source: "proc"},
				{Destination: "/dev", Type: "tmpfs", Source: "tmpfs"},
			},
			Process: container.Process{Env: []string{"PATH=/usr/bin:/bin"}, Cwd: "/"},
		},
	}
}

// call runs a program of the host's root file system with this input, and returns what it writes.
func call(pool *spawn.Pool, input string, program ...string) (string, error) {
	ctx := context.Background()
	in, toProgram, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer in.Close()
	fromProgram, out, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer fromProgram.Close()

	cfg := sandbox()
	cfg.Container.Process.Args = program
	cfg.Files = [3]*os.File{in, out, os.Stderr} // sent to the child that waits
	process, err := pool.Start(ctx, cfg)
	out.Close()
	if err != nil {
		toProgram.Close()
		return "", err
	}
	defer process.Release()
	go func() {
		defer toProgram.Close()
		_, _ = io.WriteString(toProgram, input+"\n")
	}()
	var output strings.Builder
	if _, err := io.Copy(&output, fromProgram); err != nil {
		return "", err
	}
	status, err := process.Wait(ctx)
	if err == nil && status.ExitStatus() != 0 {
		err = fmt.Errorf("exit status %d", status.ExitStatus())
	}
	return output.String(), err
}
