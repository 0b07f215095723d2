// Go would keep descriptors of the host's cgroup files open for as long as the process lives, to follow the limit of
// CPUs, and a goroutine to look for another number of them. Neither side of the handshake lives that long.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

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
