// Package session is one side of one conversation, whole and pure: what package syncproto's Machine decides of single
// frames, and all that stands on it. The greeting, the choice of a codec, the configuration's digest, refusals,
// CANCEL and ERROR, what is read after the end is known, and which of several reasons is the verdict are decided here.
//
// A Session does no I/O, has no clock, starts nothing, and is a plain value: a copy goes on separately. Two values
// that are equal (==) behave alike. So the exhaustive check in fuzz/model walks what really runs, not a copy of it.
//
// # Responsibilities of the driver
//
// A driver (package transport has one) moves bytes and keeps time. It tells the Session what happened:
//
//	err := s.Admit(header)            // a header has arrived; its payload is not read yet
//	event, err := s.Receive(h, b)     // a frame has arrived
//	s.EndOfFile(torn)                 // the peer will send no more; torn: in the middle of a frame
//	s.Violate(err)                    // what arrived was no frame
//	s.Left(), s.Written()             // the first byte of the frame under way has left; and all of it
//	s.WriteFailed(gone)               // or will not; gone: the peer has closed its end
//	s.ReadFailed()                    // reading is impossible for good
//	s.Expired()                       // the deadline of the present Timer has passed
//	s.Exited()                        // the peer's process is gone
//	s.Quiet()                         // nothing is left to read now
//
// and it is told what to do by
//
//	s.Due()       // a frame that the Session itself wants to send: make it with Say, then send it
//	s.Timer()     // which wait runs now, and whether it began anew
//	s.Reading()   // whether there is a sense in reading
//	s.Over()      // nothing more happens; Verdict says how it ended
//
// The caller's own decisions are Hello, Config, Confirm, Call, Refuse, Note, Exec, Cancel and Abort. Those that
// make a frame append it to a buffer, header and payload; descriptors are the driver's to send along. One frame is
// under way at a time: each must be Written, or WriteFailed, before the next is made.
//
// The last word comes first: where the conversation has ended, and the frame under way is not that word (Live and
// Saying are false), it is given up with WriteFailed(false).
//
// After every call the driver looks at Due, then at Over. While a frame finds no room it reads, for the peer may be
// writing too, and it always reads once the conversation has ended.
package session
