package history

import (
	"os"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// helpers are the roles of this test binary when it is executed again, by the value of its variable.
var helpers = map[string]func(){}

const helperVariable = "HANDFAST_HISTORY_HELPER"

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{First: func() {
		if f := helpers[os.Getenv(helperVariable)]; f != nil {
			f()
			os.Exit(0)
		}
	}})
}
