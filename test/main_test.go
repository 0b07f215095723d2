package test

import (
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// roles runs the test binary in the role in which it was executed again, if any.
func roles() {
	noClone3()
	inheriting()
	work()
	supervising()
	impostor()
}

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{First: roles}) }
