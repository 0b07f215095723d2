package stack_test

import (
	"testing"

	"github.com/handfast/handfast/internal/stack"
)

// TestGrow checks that a frame of nearly that size fits after Grow, and that Grow itself allocates no heap memory.
func TestGrow(t *testing.T) {
	done := make(chan byte)
	go func() {
		stack.Grow()
		done <- deep(stack.Room/64 - 8)
	}()
	if got := <-done; got != 1 {
		t.Errorf("%d", got)
	}
	if n := testing.AllocsPerRun(10, stack.Grow); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// deep calls itself n times and uses a little stack each time.
//
//go:noinline
func deep(n int) byte {
	var some [32]byte
	some[n%32] = 1
	if n > 0 {
		return deep(n - 1)
	}
	return some[0]
}
