package smallchild

import (
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{First: interpretForReal}) }
