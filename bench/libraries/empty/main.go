// Command empty does nothing: what every Go program weighs.
package main

import "os"

func main() {
	if len(os.Args) > 5 { // never: it is linked and not run
		os.Exit(3)
	}
}
