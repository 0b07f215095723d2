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

// Run is for amd64 alone: how a call is kept from being made differs from one architecture to the next.
func Run(*exec.Cmd, At, Fault) (Report, error) {
	return Report{}, fmt.Errorf("faults on %s: %w", runtime.GOARCH, unix.ENOSYS)
}

// Errnos is empty: see Run.
func Errnos(string) []unix.Errno { return nil }
