// Command cgroups makes, limits and reads a group with opencontainers/cgroups, device rules included.
package main

import (
	"fmt"
	"os"

	"github.com/opencontainers/cgroups"
	_ "github.com/opencontainers/cgroups/devices"
	"github.com/opencontainers/cgroups/manager"
)

func main() {
	if len(os.Args) > 5 { // never: it is linked and not run
		m, err := manager.New(&cgroups.Cgroup{})
		fmt.Println(err, m.Apply(1), m.Set(&cgroups.Resources{}))
		fmt.Println(m.GetStats())
	}
}
