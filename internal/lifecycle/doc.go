// Package lifecycle carries out the commands of an OCI runtime (runtime.md of the specification): create, start, run,
// state, kill, delete and list.
//
// It joins what the other packages do: package oci reads the bundle, package cgroupfs holds the group, package spawn
// makes the child and leads the handshake, package state remembers. What it adds is the order of things, and that
// everything done so far is undone when a step fails.
//
// Three facts are never stored, because a stored fact can be wrong: whether the process lives (a pidfd and the time it
// started say so), whether it waits at its start gate (the gate's socket is there), and whether a create is under way
// (its lock is held). A status is computed from these when it is asked for.
package lifecycle
