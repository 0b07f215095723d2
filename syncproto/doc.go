// Package syncproto is the conversation between a parent process and the child that it has just created: a greeting, a
// configuration, requests and answers by a declared table, errors in both directions, and one last word before the
// child becomes another program.
//
// The package is pure. It does no I/O, has no clock, starts no goroutine, and imports neither os nor net, nor anything
// that does. What it holds:
//
//   - Header, Kind and Limits: the frame and its bounds.
//   - Value: the data model that every codec carries, and ToValue and FromValue between it and Go's types.
//   - Profile, Phase, Row: a conversation declared as a table, which its users write.
//   - Exchange: a row with the Go types of what its request and its reply carry.
//   - Rules: the table that every conversation follows, whatever its profile.
//   - Machine: one side's view of one conversation. Both roles run the same Machine on the same tables.
//   - Report: an error in a form that crosses the boundary between two processes.
//
// # Responsibilities of the caller
//
// Most programs use package transport, which moves the bytes of a session.Session and keeps its time; the two programs
// below example are complete. Whoever has I/O of their own drives a Session. Whoever drives a Machine alone keeps to
// this order:
//
//	h, err := m.Send(frame)      // may this side send it now? then its header; after an error nothing may leave
//	err := m.Admit(header)       // may the peer send this now? before the payload is read
//	err := m.Receive(header, name) // the payload is decoded: take the frame in
//	v := m.EndOfFile()           // the peer has closed its end
//	m.Fail(why)                  // this side saw the conversation end otherwise
//
// # Success
//
// A child that executes another program cannot say that it has: its last act is to be replaced. So success takes two
// things, in this order: an EXEC frame, with which the child commits, and end of file, which the kernel makes when the
// execution closes the CLOEXEC socket. End of file alone proves nothing, for a killed child looks just so; EXEC alone
// proves nothing either, for the execution may fail, and then an ERROR follows it.
package syncproto
