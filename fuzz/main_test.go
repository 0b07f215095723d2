package fuzz

import (
	"testing"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/nsinit"
)

// The test binary is the child of the containers that are started here, and brings a codec of its own.
func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{First: func() { nsinit.Main(cborCodec{}) }})
}
