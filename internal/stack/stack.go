// Package stack makes room on a goroutine's stack at once.
//
// A goroutine begins with a few KiB of stack. Whenever these are not enough, the Go runtime allocates twice as
// much, copies the old stack, and looks up for every frame which words are pointers (copystack, runtime/stack.go).
// In a command that lives for some milliseconds that is a tenth of all page faults: each new size of the stack is
// memory that was not in use before, and so are the tables of the functions that are on the stack by then.
package stack

// Room is how many bytes Grow makes room for: more than either side of a container's start is known to need. Memory
// that is not used is not touched.
const Room = 24 << 10

// Grow makes room for Room more bytes on the calling goroutine's stack, in one step. It should be called while the
// stack is small.
func Grow() { room(false) }

// room has a frame of Room bytes, for which the entry of the function makes room. The frame is never filled.
//
//go:noinline
func room(use bool) byte {
	if !use {
		return 0
	}
	var frame [Room]byte
	fill(&frame)
	return frame[0]
}

//go:noinline
func fill(frame *[Room]byte) {
	for i := range frame {
		frame[i] = byte(i)
	}
}
