// Package signals collects signals without goroutines, threads or channels, for a program that waits in ppoll(2)
// anyway.
//
// Package os/signal hands every signal that is asked for to a thread of its own, twice: for the fifty that a runtime
// in the foreground forwards that is more than a hundred switches of threads before the container runs. Here a signal
// that arrives sets a bit and writes to an eventfd, in a handler of a few instructions that touches nothing of Go's
// runtime and may therefore run on any thread at any time. Where there is no such handler for an architecture, the
// same is done by package os/signal.
//
// A signal that is caught here must not be asked for from package os/signal too: the last one has it.
package signals
