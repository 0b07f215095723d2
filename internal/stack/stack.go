// Package stack makes room on a goroutine's stack at once.
//
// A goroutine begins with a few KiB of stack. Whenever they do not do, Go's runtime takes twice as much, copies what
// is there, and looks up for every frame what in it is a pointer (copystack, runtime/stack.go). In a command that
// lives for some milliseconds that is a tenth of all page faults: each size of stack is memory that nobody has
// touched before, and so are the tables of the functions that are on the stack by then.
package stack

// Room is how many bytes Grow makes room for: more than the start of a container is known to take on either side. What
// is not used is not touched.
const Room = 24 << 10

// Grow lets the calling goroutine's stack have Room bytes more, in one step. It comes when there is little on it.
func Grow() { room(false) }

// room has a frame of that size, and the function's entry makes room for it. It is never filled.
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
