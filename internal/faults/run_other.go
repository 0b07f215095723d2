//go:build !amd64

package faults

import (
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Available reports whether Run can trace on this architecture.
const Available = false

type tracee struct{}

// Run works only on amd64, because the way to skip a system call depends on the architecture.
func Run(*exec.Cmd, At, Fault) (Report, error) {
	return Report{}, fmt.Errorf("faults on %s: %w", runtime.GOARCH, unix.ENOSYS)
}

// Errnos returns nil: see Run.
func Errnos(string) []unix.Errno { return nil }
