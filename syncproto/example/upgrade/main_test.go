package main

import (
	"os"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// The next version is this binary, executed again.
func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{First: func() {
		if os.Getenv(socket) != "" {
			main()
			os.Exit(0)
		}
	}})
}

func Example() {
	main()
	// Output:
	// before: version 1
	// not upgraded: version 13: the new version finds its database locked
	// now: version 1
	// now: version 2
}
