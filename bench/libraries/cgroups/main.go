// Command cgroups creates, limits and reads a group with opencontainers/cgroups, including device rules.
package main

import (
	"fmt"
	"os"

	"github.com/opencontainers/cgroups"
	_ "github.com/opencontainers/cgroups/devices"
	"github.com/opencontainers/cgroups/manager"
)

func main() {
	if len(os.Args) > 5 { // never: this program is linked, not run
		m, err := manager.New(&cgroups.Cgroup{})
		fmt.Println(err, m.Apply(1), m.Set(&cgroups.Resources{}))
		fmt.Println(m.GetStats())
	}
}
