// Package model explores every conversation that two sides can have with a profile. Both sides are real Sessions of
// package session, not copies of their logic.
//
// A world is the complete state of one conversation at one moment: both Sessions, what has become of both processes,
// and the frames between them. Check visits every world that can be reached from the first one, each once. It tries
// every order of sending and receiving over channels that hold a few frames, and at every point
//
//   - the death of either side, even in the middle of a frame, and of a parent that has stopped reading;
//   - a child that stops without dying, or whose socket stays open in another process;
//   - a failure of either side, of its writing or of its reading; a refused request; a parent that does not commit;
//   - a child that confirms another configuration than was sent, or has another table;
//   - a deadline wherever one runs, a cancellation by either side, and a half-close.
//
// The walk plays the socket, the two processes and the two callers, and does what a driver must do (see package
// session); everything else is done by the Sessions. law.go says what must hold in each world, for each step and at
// each end. Check returns the first world that violates it, with the steps that led there. It also reports a world with
// no way on, and a cycle.
//
// The packages fuzz and model are for authors of profiles: a test can walk any table that Profile.Validate accepts.
package model
