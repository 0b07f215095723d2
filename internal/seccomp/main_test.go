package seccomp

import (
	"flag"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }
