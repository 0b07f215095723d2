package test

import (
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// roles are what the test binary is when it is executed again.
func roles() {
	noClone3()
	inheriting()
	work()
	supervising()
}

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{First: roles}) }
