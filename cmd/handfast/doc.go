// Command handfast is an OCI runtime with runc's command line, built on the packages spawn, nsinit and cgroupfs.
//
// The same program is also the container's first process until that executes the container's own program: the first
// statement of main hands over to package nsinit there.
//
// The commands, their options and their help are one table (table.go). Package lifecycle carries them out.
package main
