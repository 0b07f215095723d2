// Command handfast is an OCI runtime with runc's command line, built on the packages spawn, nsinit and cgroupfs.
//
// The same program is the container's first process until it executes what the container is for: package nsinit takes
// over in main's first statement there.
//
// The commands, their options and their help are one table (table.go); what they do is package lifecycle.
package main
