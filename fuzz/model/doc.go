// Package model explores every conversation that two sides can have by a profile. Both sides are the Sessions of
// package session that run everywhere else, not a copy of them.
//
// A world is everything about one conversation at one moment: both Sessions, what has become of both processes, and
// the frames between them. Check visits every world that can be reached from the first one, each once. That is every
// order of sending and receiving over channels that hold a few frames, and at every point of it
//
//   - the death of either side, also in the middle of a frame, and of a parent that has stopped reading;
//   - a child that stops without dying, or whose socket lives on in another process;
//   - a failure of either side, of its writing or of its reading; a refused request; a parent that does not commit;
//   - a child that confirms another configuration than was sent, or has another table;
//   - a deadline wherever one runs, a cancellation by either side, and a half-close.
//
// The walk plays the socket, the two processes and the two callers, and does what a driver must (package session says
// what that is); all else is the Sessions' own doing. What must hold in each world, of each step and at each end is in
// law.go. The first world that breaks it comes back with the way that led there, and so does one from which nothing
// leads on, or only back.
//
// The packages fuzz and model are for whoever declares a profile: a table that Profile.Validate accepts can be walked
// in a test of the table's own.
package model
