// Command cli has a command line of urfave/cli.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/urfave/cli/v3"
)

func main() {
	if len(os.Args) > 5 { // never: this program is linked, not run
		c := &cli.Command{Name: "x", Flags: []cli.Flag{&cli.StringFlag{Name: "a"}}}
		fmt.Println(c.Run(context.Background(), os.Args))
	}
}
