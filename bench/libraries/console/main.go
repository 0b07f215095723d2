// Command console creates a terminal with containerd/console.
package main

import (
	"fmt"
	"os"

	"github.com/containerd/console"
)

func main() {
	if len(os.Args) > 5 { // never: this program is linked, not run
		c, s, err := console.NewPty()
		fmt.Println(c, s, err, c.SetRaw())
	}
}
