// Command slog writes an error as JSON with log/slog.
package main

import (
	"log/slog"
	"os"
)

func main() {
	if len(os.Args) > 5 { // never: this program is linked, not run
		slog.New(slog.NewJSONHandler(os.Stderr, nil)).Error("x", "a", 1)
	}
}
