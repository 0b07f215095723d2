// Package account records where the time of a command goes, for "go run ./bench -account". It records marks, each
// with the time and the resource usage of the process so far, and writes them to a file when the command ends.
//
// It does so only in a program built with the tag handfast_account. In all others its functions do nothing.
package account

// Variable is the environment variable with the path of the file. Without it nothing is recorded.
const Variable = "HANDFAST_ACCOUNT"

// Mark is the end of a phase of this process. The phase began at the previous mark.
type Mark struct {
	Phase string // the phase that ends here
	NS    int64  // CLOCK_MONOTONIC
	CPUUS int64  // user and system time of this process, not of its children
	// context switches, getrusage(2)
	Voluntary, Involuntary int64
	Faults                 int64 // page faults that needed no I/O
}
