// Package transport carries syncproto's frames over Unix sockets, and is the only part of the protocol that does I/O.
//
// A Conn moves frames with their descriptors over SOCK_SEQPACKET or SOCK_STREAM; Memory is a pair of them without the kernel between. A Peer is one side of a
// conversation: Machine, codec and Conn joined by one loop. The parent:
//
//	conn, childEnd, err := transport.SocketPair(transport.SeqPacket)
//	// start the child with childEnd inherited, then close childEnd here
//	peer, err := transport.NewParent(conn, profile, transport.Options{})
//	err = peer.Open(ctx, config, nil)
//	for {
//		req, err := peer.Next(ctx) // io.EOF: the child has executed
//		err = peer.Reply(ctx, answer)
//	}
//
// and the child:
//
//	conn, ok, err := transport.Adopt("HANDFAST_SOCKET")
//	peer, err := transport.NewChild(conn, profile, transport.Options{})
//	config, fds, err := peer.Accept(ctx)
//	err = peer.Confirm(ctx)
//	reply, fds, err := peer.Call(ctx, "ready", syncproto.Value{})
//	err = peer.Exec(ctx) // then execve(2); peer.Fail(ctx, err) if anything goes wrong
//
// # Descriptors
//
// Descriptors that are sent stay the sender's: the kernel duplicates them. Descriptors that are received belong to whoever the method's doc names; on every error
// they are closed before the method returns.
package transport
