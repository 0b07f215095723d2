// Package transport holds the conversation of package syncproto between a parent process and the child that it has
// just started: it moves the frames and their descriptors over a socket, keeps the deadlines, and gives each side one
// verdict. It is the only part of the protocol that does I/O.
//
// # What it is for
//
// It is for a set-up and a bounded conversation: a privileged parent configures a child, the child asks for what it
// may not do itself, and at the end it executes another program (Exec) or is done (Done). Whatever the child does
// meanwhile (die, stop, lie, flood, leak its socket to others), the parent's calls return in bounded time, with what
// happened and where; when the parent ends, the child's calls return. Messages follow a table, the Profile: one that is
// not legal now is an error before a byte leaves, and what the peer sends against the table ends the conversation.
//
// It is not for a service. One side asks at a time and one request waits for its reply at a time; a conversation has
// 4,096 frames of each side and 256 notes unless Limits say otherwise, and 65,535 of each at most; a message has 64 KiB
// and a configuration 64 MiB at most; nothing is streamed and nothing is resumed. What wants to talk for days passes a
// socket of its own with the configuration, and uses this package to hand that over.
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
//	// root is the one request that there is, with the Go types of its argument and of its reply.
//	var root = syncproto.Exchange[int, int]{Row: syncproto.Row{Request: "root", Reply: "is"}}
//
//	// profile is the whole conversation: in its only phase the child asks, and may end it (Commit).
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
//		defer p.Close() // after anything but success it ends the child, too
//		if err := transport.Open(ctx, p.Parent, &task{Numbers: []int{49, -4, 81}}, nil); err != nil {
//			return err
//		}
//		for {
//			req, err := p.Next(ctx)
//			if err == io.EOF {
//				return p.Wait(ctx) // success: the child has said that it is done, and has closed its end
//			}
//			if err != nil {
//				return err // whatever else the child did: it died, was too slow, failed, broke the protocol
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
// A Parent calls Open, then Next until that returns io.EOF, which is success, or a *Failure, which is every other end.
// Each request is replied to by Reply, or by Decline where it cannot be done: the child's Call then returns a *Refused,
// and the conversation goes on. Abort ends it.
//
// A Child calls Accept and Confirm, then Call as often as its profile has it, then Exec right before its execution, or
// Done where it executes nothing. Fail reports what went wrong instead, as the child's last word: errors.Is and
// errors.As see in the parent what they saw in the child (package remote). Note is a line for the parent's log.
//
// The functions Open, Accept, Call, Arg and Reply are the methods of the same names with Go types in place of Values.
//
// Success takes two things: the child has said EXEC, and its end of the socket was closed, which the kernel does in the
// execution. So the child's socket is FD_CLOEXEC (Adopt sees to that), and nobody else may keep a copy of it: after
// SocketPair the parent closes the child's end once the child has started, as StartCommand does.
//
// Every call takes a context; its end ends the conversation, and the other side is told. Deadlines bound the peer's
// part, each of its own kind of wait and Total all of it. Methods may be called by any goroutine, one call at a time
// is carried out, and Close ends the one that waits.
//
// # Starting a child
//
// StartCommand starts an exec.Cmd with its end of a new pair of sockets, watches the process by its pidfd, and kills it
// where the conversation was no success. A child that is made otherwise gets its end of a SocketPair by inheritance,
// and the number of it in an environment variable, for Adopt; Options.Process, or Exited, tells the Parent of its end.
//
// # Descriptors
//
// Descriptors that are sent stay the sender's: the kernel duplicates them. Descriptors that are received belong to
// whoever the method's documentation names; on every error they are closed before the method returns. They are plain
// numbers. TakeFiles makes files of them, which own them from then on; BorrowFDs lends those of files for a message.
//
// # Other carriers
//
// Frames travel over a Conn, which has a Link below it: a Unix socket of type SOCK_SEQPACKET or SOCK_STREAM
// (SocketPair, Take, Adopt), or one of the caller's own, by New. Package transporttest holds any Link to the contract,
// has one in memory, and one on which things go wrong. A Link that breaks its contract is an error of the call.
//
// # Driving a Session oneself
//
// All that is decided (what may be said, what a frame means, how the conversation has ended) is in package session,
// which does no I/O. This package adds bytes, descriptors and time. Who has an event loop of their own, or no Go
// scheduler to wait in, drives a session.Session in the same way; its documentation lists what it has to be told. In
// short, and in this order, for as long as it is not Over:
//
//   - send what is Due (Say), or the frame that a decision of the caller has made, with its descriptors at the first
//     byte, and tell of it: Left, Written, WriteFailed;
//   - read a header, ask Admit, read the payload and check the number of descriptors, and hand both to Receive; tell of
//     what is no frame (Violate) and of the end (EndOfFile, ReadFailed);
//   - where neither is possible, wait for both, no longer than the deadline that belongs to the present Timer, and tell
//     when that has passed (Expired). A Timer that is another value than before begins anew.
//
// One thread is enough, and two large writes cannot block each other, for a side that cannot send reads. The driver of
// this package is such a loop: one ppoll(2) over the socket and the child's pidfd, no goroutine, no timer. In a process
// of one goroutine a conversation makes no futex call and no thread.
package transport
