package history

import (
	"flag"
	"os"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

var update = flag.Bool("update", false, "write the golden files anew")

// helpers are what this test binary turns into when it is executed again, by the value of its variable.
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

// golden compares text with a file of testdata, or writes that.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s is not what comes out (run with -update to write it anew):\n%s", path, text)
	}
}
