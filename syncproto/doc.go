// Package syncproto is the conversation between a parent process and the child that it has just created: a greeting, a
// configuration, requests and replies as a table declares them, errors in both directions, and a final frame from the
// child before it becomes another program.
//
// The package is pure: it does no I/O, has no clock and starts no goroutine. It imports neither os nor net, nor
// anything that does. It holds:
//
//   - Header, Kind and Limits: the frame and its bounds.
//   - Value: the data model that every codec carries, with ToValue and FromValue to convert Go values to it and back.
//   - Profile, Phase, Row: a conversation declared as a table, written by the users of the package.
//   - Exchange: a row with the Go types of its request's and its reply's arguments.
//   - Rules: the table that every conversation follows, whatever its profile.
//   - Machine: one side's view of one conversation. Both roles run the same Machine on the same tables.
//   - Report: an error in a form that can cross the boundary between two processes.
//
// # Responsibilities of the caller
//
// Most programs use package transport, which moves the bytes of a session.Session and keeps its deadlines; the
// programs in the example directory are complete. A program that does its own I/O drives a Session. A program that
// drives a Machine directly must keep to this order:
//
//	h, err := m.Send(frame)        // may this side send it now? If so, send it with this header
//	err := m.Admit(header)         // may the peer send this now? Call it before reading the payload
//	err := m.Receive(header, name) // the payload is decoded: process the frame
//	v := m.EndOfFile()             // the peer has closed its end
//	m.Fail(why)                    // the conversation ended in any other way
//
// # Success
//
// A child that executes another program cannot report that it has done so: the execution replaces it. So success takes
// two events, in this order: an EXEC frame, with which the child commits, and end of file, which the kernel delivers
// when the execution closes the CLOEXEC socket. End of file alone proves nothing, because a killed child looks the
// same. EXEC alone proves nothing either, because the execution may fail, and an ERROR follows if it does.
package syncproto
