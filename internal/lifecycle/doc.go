// Package lifecycle carries out the commands of an OCI runtime (runtime.md of the specification): create, start,
// run, state, kill, delete and list.
//
// It combines the other packages: package oci reads the bundle, package cgroupfs holds the group, package spawn
// makes the child and conducts the handshake, and package state stores what must be remembered. This package adds
// the order of the steps, and undoes everything done so far when a step fails.
//
// Three facts are never stored, because a stored fact can be wrong: whether the process is alive (a pidfd and the
// process's start time show that), whether it waits at its start gate (the gate's socket exists), and whether a
// create is under way (its lock is held). A status is computed from these when it is requested.
package lifecycle
