// Command console makes a terminal with containerd/console.
package main

import (
	"fmt"
	"os"

	"github.com/containerd/console"
)

func main() {
	if len(os.Args) > 5 { // never: it is linked and not run
		c, s, err := console.NewPty()
		fmt.Println(c, s, err, c.SetRaw())
	}
}
