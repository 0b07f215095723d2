// Package faults runs a command and makes one chosen system call go wrong: the process that makes it is killed there
// with SIGKILL, or the call fails with a chosen errno. The command is traced with ptrace(2), and so is every process
// that it makes, so "the third mkdirat" means the same call in every run. Tests use it to show that what a command
// leaves behind can be found and removed, wherever the command was interrupted.
//
// It is only for tests: no package of the product imports it.
package faults
