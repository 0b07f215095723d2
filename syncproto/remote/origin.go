package remote

import "github.com/handfast/handfast/syncproto"

// IsRemote reports whether err is about the other process: whether the cause of a *Error in its tree lies there.
//
// An error of this side's own that the peer gives back is not remote, though a report brought it. A parent that refuses
// a request because of its own ENOENT often gets that ENOENT back in the child's last word, and the file that is
// missing is the parent's. See Error.IsEcho for how the two are told apart.
func IsRemote(err error) bool {
	found := false
	walk(err, func(e error) bool {
		r, ok := e.(*Error)
		found = ok && r != nil && !r.IsEcho()
		return !found
	})
	return found
}

// IsEcho reports whether e gives back what its reader had said itself:
//
//   - The code is "cancelled" and a child reports it. By the definition of that code the parent had asked for it.
//   - Every cause in it, a node with none below, is the reader's own by the nearest node of type "remote" at or above
//     it. Report puts such a node over each *Error that it meets, with the role of whose report it was (From): the
//     other role than this report's is the reader. A "remote" node without From, which a child in another language may
//     send, is what the reporter received in this conversation, and so the reader's too; within another such node it
//     is the reporter's.
//
// The words that the peer put around an error of the reader's do not change whose it is. A process that is the child of
// one conversation and the parent of another tells them apart by From: what its own child reports is no echo to its
// parent.
func (e *Error) IsEcho() bool {
	if e == nil {
		return false
	}
	if e.Report.Code == syncproto.CodeCancelled && e.Report.Role == syncproto.Child.String() {
		return true
	}
	t := tree{e.nodes()}
	return t.readers(0, e.Report.Role, false)
}

// readers reports whether every cause at node i or below is the reader's own; own is whether what stands above i is.
func (t tree) readers(i int, reporter string, own bool) bool {
	if n := &t.nodes[i]; n.Type == syncproto.NodeRemote {
		own = !own
		if n.From != "" {
			own = n.From != reporter
		}
	}
	leaf, all := true, true
	t.each(i, func(k int) {
		leaf = false
		all = all && t.readers(k, reporter, own)
	})
	if leaf {
		return own
	}
	return all
}
