// Package account records where the time of a command goes, for "go run ./bench -account": marks, each with the time
// and the resource usage of the process so far, which are written to a file when the command ends.
//
// It only does so in a program built with the tag handfast_account. In others its functions are empty.
package account

// Variable is the environment variable with the file's path. Without it nothing is recorded.
const Variable = "HANDFAST_ACCOUNT"

// Mark is the end of a phase of this process, which began at the previous mark.
type Mark struct {
	Phase string // that ends here
	NS    int64  // CLOCK_MONOTONIC
	CPUUS int64  // user and system time of this process, not of its children
	// switches of threads, getrusage(2)
	Voluntary, Involuntary int64
	Faults                 int64 // page faults that needed no input
}
