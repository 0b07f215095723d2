// Package account tells where the time of one command goes, for "go run ./bench -account": marks, each with the time
// and with what the process has used up to then, that are written to a file when the command ends.
//
// It does so only in a program built with the tag handfast_account. In any other the functions are empty.
package account

// Variable names the environment variable that holds the file's path. Without it nothing is kept.
const Variable = "HANDFAST_ACCOUNT"

// Mark is the end of one phase of this process, which began with the mark before.
type Mark struct {
	Phase string // that ends here
	NS    int64  // CLOCK_MONOTONIC
	CPUUS int64  // user and system time of this process, not of its children
	// switches of threads, getrusage(2)
	Voluntary, Involuntary int64
	Faults                 int64 // page faults that needed no input
}
