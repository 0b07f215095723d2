// Package signals collects signals without goroutines, threads or channels, for a program that waits in ppoll(2)
// anyway.
//
// Package os/signal switches to another thread twice for every signal that it enables: for the fifty that a runtime in
// the foreground forwards, that is more than a hundred thread switches before the container runs. Here a signal sets a
// bit and writes to an eventfd, in a handler of a few instructions that touches nothing of Go's runtime and may
// therefore run on any thread at any time. On architectures without such a handler, package os/signal does the same.
//
// Do not use package os/signal for a signal that is caught here: only the last handler gets it.
package signals
