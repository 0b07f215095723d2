// Package model explores every conversation that two sides can have by a profile, with the Machine that both sides really run, and not a copy of it.
//
// A world is everything about one conversation at one moment: both machines, what has become of both processes, and the frames between them. Check visits every world that can
// be reached from the first one, each once: every order of sending and receiving over channels that hold a few frames, a death of either side at every point and in the middle
// of a frame, a child that stops without dying or whose socket lives on in another process, a failure of either side, a commit that fails, a deadline wherever one runs, a
// cancellation, and a half-close. What must hold in each world and at each end is in law.go; the first world that breaks it comes back with the way that led there.
//
// The packages fuzz and model are for whoever declares a profile: a table that Profile.Validate accepts can be walked in a test of the table's own.
package model
