// Command cobra has a command line of spf13/cobra.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	if len(os.Args) > 5 { // never: this program is linked, not run
		c := &cobra.Command{Use: "x"}
		c.Flags().String("a", "", "b")
		fmt.Println(c.Execute())
	}
}
