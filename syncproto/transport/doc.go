// Package transport carries the conversation of package syncproto between a parent process and the child that it has
// just started. It moves frames and their descriptors over a socket, enforces the deadlines, and gives each side one
// verdict. It is the only part of the protocol that does I/O.
//
// # What it is for
//
// It is for setting up a child in a bounded conversation: a privileged parent configures a child, the child requests
// what it may not do itself, and finally it executes another program (Exec) or finishes (Done). Whatever the child does
// meanwhile (die, hang, lie, flood, leak its socket), the parent's calls return in bounded time and say what happened
// and where. When the parent ends, the child's calls return. Messages follow a table, the Profile: sending a message
// that is not legal now fails before a byte is sent, and receiving one ends the conversation. It is not for a
// long-running service. Only one side makes requests at a time, and only one request is pending at a time. A
// conversation may have 4,096 frames from each side and 256 notes unless Limits say otherwise, and never more than
// 65,535 of each. A message has at most 64 KiB and a configuration at most 64 MiB. Nothing is streamed and nothing can
// be resumed. A program that needs to talk for days can use this package to pass a socket of its own with the
// configuration.
//
// # A program
//
// This is syncproto/example/hello, whole:
//
//	package main
//
//	import (
//		"context"
//		"errors"
//		"fmt"
//		"io"
//		"os"
//		"os/exec"
//
//		"github.com/handfast/handfast/syncproto"
//		"github.com/handfast/handfast/syncproto/transport"
//	)
//
//	// root is the only request, with the Go types of its argument and its reply.
//	var root = syncproto.Exchange[int, int]{Row: syncproto.Row{Request: "root", Reply: "is"}}
//
//	// profile is the whole conversation: in its only phase the child makes requests, and may end it (Commit).
//	var profile = &syncproto.Profile{Name: "hello", Phases: []syncproto.Phase{
//		{Name: "work", Requester: syncproto.Child, Commit: true, Rows: []syncproto.Row{root.Row}},
//	}}
//
//	// task is the configuration.
//	type task struct {
//		Numbers []int `sync:"numbers"`
//	}
//
//	func main() {
//		ctx := context.Background()
//		conn, isChild, err := transport.Adopt("HELLO_SOCKET")
//		switch {
//		case isChild && err == nil:
//			err = child(ctx, conn)
//		case err == nil:
//			err = parent(ctx)
//		}
//		if err != nil {
//			fmt.Fprintln(os.Stderr, "hello:", err)
//			os.Exit(1)
//		}
//	}
//
//	func parent(ctx context.Context) error {
//		cmd := exec.Command("/proc/self/exe")
//		cmd.Stderr = os.Stderr
//		p, err := transport.StartCommand(cmd, "HELLO_SOCKET", profile, transport.Options{
//			Note: func(n syncproto.Note) { fmt.Println("the child:", n.Text) },
//		})
//		if err != nil {
//			return err
//		}
//		defer p.Close() // unless the conversation succeeded, it ends the child too
//		if err := transport.Open(ctx, p.Parent, &task{Numbers: []int{49, -4, 81}}, nil); err != nil {
//			return err
//		}
//		for {
//			req, err := p.Next(ctx)
//			if err == io.EOF {
//				return p.Wait(ctx) // success: the child has finished and closed its end
//			}
//			if err != nil {
//				return err // any other end: the child died, failed, was too slow, or broke the protocol
//			}
//			n, err := transport.Arg(ctx, p, req, root)
//			if err != nil {
//				return err
//			}
//			if n < 0 {
//				err = p.Decline(ctx, fmt.Errorf("%d has no root", n)) // the conversation goes on
//			} else {
//				r := 0
//				for (r+1)*(r+1) <= n {
//					r++
//				}
//				err = transport.Reply(ctx, p, root, r)
//			}
//			if err != nil {
//				return err
//			}
//		}
//	}
//
//	func child(ctx context.Context, conn *transport.Conn) error {
//		c, err := transport.NewChild(conn, profile, transport.Options{})
//		if err != nil {
//			return err
//		}
//		if err := work(ctx, c); err != nil {
//			return errors.Join(err, c.Fail(ctx, err)) // the parent's Next returns err
//		}
//		return c.Done(ctx) // or Exec, and then execve(2)
//	}
//
//	func work(ctx context.Context, c *transport.Child) error {
//		var t task
//		if _, err := transport.Accept(ctx, c, &t); err != nil {
//			return err
//		}
//		if err := c.Confirm(ctx); err != nil {
//			return err
//		}
//		for _, n := range t.Numbers {
//			r, _, err := transport.Call(ctx, c, root, n)
//			said := fmt.Sprintf("the root of %d is %d", n, r)
//			if refused, ok := errors.AsType[*transport.Refused](err); ok {
//				said, err = "no: "+refused.Error(), nil
//			}
//			if err == nil {
//				err = c.Note(ctx, "info", said)
//			}
//			if err != nil {
//				return err
//			}
//		}
//		return nil
//	}
//
// # The two sides
//
// A Parent calls Open, then Next until it returns io.EOF, which means success, or a *Failure, which is every other end.
// The parent replies to each request with Reply, or refuses it with Decline: the child's Call then returns a *Refused,
// and the conversation goes on. Abort ends the conversation. A Child calls Accept and Confirm, then Call as often as
// its profile allows, then Exec right before its execution, or Done if it executes nothing. If something goes wrong it
// calls Fail instead, which reports the error and ends the conversation: errors.Is and errors.As find in the parent
// what they found in the child (package remote). Note sends a line for the parent's log.
//
// The functions Open, Accept, Call, Arg and Reply are the methods of the same names with Go types in place of Values.
// Success takes two events: the child has sent EXEC, and its end of the socket was closed, which the kernel does during
// the execution. So the child's socket must be FD_CLOEXEC (Adopt sets that), and no other process may keep a copy of
// it: after SocketPair the parent closes the child's end once the child has started, as StartCommand does. Every call
// takes a context. When the context ends, so does the conversation, and the other side is notified. Deadlines bound the
// time that the peer may take: each for one kind of wait, and Total for the whole conversation. Methods may be called
// by any goroutine. Calls run one at a time: another call, even Abort, waits until the one before it has returned, and
// its own context counts only from then on. Close does not wait, and ends the call that does; so does the end of the
// waiting call's context.
//
// # Starting a child
//
// StartCommand starts an exec.Cmd with its end of a new socket pair, watches the process by its pidfd, and kills it
// unless the conversation succeeds. A child that is started in another way inherits its end of a SocketPair and finds
// its number in an environment variable, which Adopt reads. The Parent learns of the end of its process from
// Options.Process, or from a call of Exited.
//
// # Descriptors
//
// Descriptors that are sent still belong to the sender: the kernel duplicates them. The documentation of each method
// names the owner of the descriptors that it receives; on an error they are closed before the method returns. They are
// plain numbers. TakeFiles turns them into files, which own them from then on; BorrowFDs lends the descriptors of files
// for a message.
//
// # Other carriers
//
// Frames travel over a Conn, which uses a Link: a Unix socket of type SOCK_SEQPACKET or SOCK_STREAM (SocketPair, Take,
// Adopt), or an implementation of the caller's, passed to New. Package transporttest tests any Link against the
// contract. It also has an in-memory Link and one that injects faults. If a Link breaks its contract, the call returns
// an error.
//
// # Driving a Session directly
//
// All decisions (which frame is legal, what a frame means, how the conversation ended) are made in package session,
// which does no I/O. This package adds bytes, descriptors and time. A program with its own event loop, or one that
// cannot wait in the Go scheduler, can drive a session.Session in the same way; its documentation lists what a driver
// must report. In short, in this order, until it is Over:
//
//   - send the frame that is Due (Say), or the one that the caller has made, with its descriptors at the first
//     byte, and report it: Left, Written, WriteFailed;
//   - read a header, call Admit, read the payload and check the number of descriptors, and pass both to Receive; report
//     malformed input (Violate) and the end (EndOfFile, ReadFailed);
//   - if neither is possible, wait for both, no longer than the deadline of the current Timer, and report when that has
//     passed (Expired). When Timer returns another value than before, start the clock again.
//
// One thread is enough, and two large writes cannot block each other, because a side that cannot send reads. The driver
// of this package is such a loop: one ppoll(2) over the socket and the child's pidfd, without a goroutine or a timer.
// In a process with a single goroutine a conversation makes no futex call and starts no thread.
package transport
