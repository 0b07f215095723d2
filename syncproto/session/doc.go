// Package session implements one side of one conversation, complete and pure: what package syncproto's Machine decides
// about single frames, and everything that builds on it. A Session decides the greeting, the choice of a codec, the
// digest of the configuration, refusals, CANCEL and ERROR, what is still read once the outcome is known, and which of
// several reasons becomes the verdict.
//
// A Session does no I/O, has no clock and starts no goroutine. It is a plain value: a copy is independent of the
// original, and two equal values (==) behave alike. So the exhaustive check in fuzz/model walks the code that really
// runs, not a copy of it.
//
// The final frame of a side, with which it ends the conversation, is an ERROR or a CANCEL. This package calls it the
// last word.
//
// # Responsibilities of the driver
//
// A driver (package transport has one) moves bytes and measures time. It reports to the Session what happened:
//
//	err := s.Admit(header)            // a header has arrived; its payload is not read yet
//	event, err := s.Receive(h, b)     // a frame has arrived
//	s.EndOfFile(torn)                 // the peer will send nothing more; torn: in the middle of a frame
//	s.Violate(err)                    // what arrived was not a frame
//	s.Left(), s.Written()             // the first byte of the outgoing frame was sent; all of it was sent
//	s.WriteFailed(gone)               // the frame cannot be sent; gone: the peer has closed its end
//	s.ReadFailed()                    // reading is impossible for good
//	s.Expired()                       // the deadline of the current Timer has passed
//	s.Exited()                        // the peer's process has ended
//	s.Quiet(torn)                     // nothing is left to read now; torn: a frame has begun
//
// and asks it what to do next:
//
//	s.Due()       // the Session itself has a frame to send: build it with Say, then send it
//	s.Timer()     // which wait is running, and whether it has started anew
//	s.Reading()   // whether reading makes sense
//	s.Over()      // the conversation has ended; Verdict says how
//
// The caller's own decisions are Hello, Config, Confirm, Call, Refuse, Note, Exec, Cancel and Abort. Those that make a
// frame append it to a buffer, header and payload; the driver sends the descriptors along. Only one frame may be
// outgoing at a time: call Written or WriteFailed before making the next one.
//
// The last word takes precedence. If the conversation has ended and the outgoing frame is not the last word (Live and
// Saying are false), give that frame up with WriteFailed(false).
//
// After every call the driver checks Due, then Over. While a frame finds no room the driver must read, because the peer
// may be writing too, and it must always read once the conversation has ended.
package session
