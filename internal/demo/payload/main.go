// Command payload is all that the demonstration's container holds: it prints what it sees of itself, as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/handfast/handfast/internal/demo/view"
)

func main() {
	if err := json.NewEncoder(os.Stdout).Encode(view.Look()); err != nil {
		fmt.Fprintln(os.Stderr, "payload:", err)
		os.Exit(1)
	}
}
