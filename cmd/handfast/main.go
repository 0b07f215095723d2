// By default Go keeps the host's cgroup files open to follow changes of the CPU limit. The processes on both sides of
// the handshake are too short-lived to need that.
//
//go:debug containermaxprocs=0

package main

import (
	"os"

	"github.com/handfast/handfast/internal/account"
	_ "github.com/handfast/handfast/internal/sysmon/early"
	"github.com/handfast/handfast/nsinit"
)

func main() {
	nsinit.Main()
	account.End("execution and start of Go")
	status := runMain(os.Args[1:])
	account.End("rest of the command")
	account.Write()
	os.Exit(status)
}
