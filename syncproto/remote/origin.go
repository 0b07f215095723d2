package remote

import "github.com/handfast/handfast/syncproto"

// IsRemote reports whether err is about the other process: whether the cause of a *Error in its tree lies there.
//
// An error of this side that the peer sends back is not remote, although it arrived in a report. A parent that refuses
// a request because of its own ENOENT often gets that ENOENT back in the child's ERROR, and the missing file is the
// parent's. Error.IsEcho explains how the two are told apart.
func IsRemote(err error) bool {
	found := false
	walk(err, func(e error) bool {
		r, ok := e.(*Error)
		found = ok && r != nil && !r.IsEcho()
		return !found
	})
	return found
}

// IsEcho reports whether e is an error that its reader had itself reported:
//
//   - The code is "cancelled" and a child reports it: by definition of that code the parent had cancelled.
//   - Every cause in it (a node with none below it) is the reader's own according to the nearest node of type "remote"
//     at or above it. Report puts such a node above each *Error in a tree, with the role that reported it (From). The
//     reader is the role that did not make this report. A "remote" node without From, which a child in another
//     language may send, is an error that the reporter received in this conversation, and so the reader's too; within
//     another such node it is the reporter's.
//
// Text that the peer added to an error of the reader's does not change its origin. If a process is the child of one
// conversation and the parent of another, From keeps the two apart: what its own child reports is not an echo to its
// parent.
func (e *Error) IsEcho() bool {
	if e == nil {
		return false
	}
	if e.Report.Code == syncproto.CodeCancelled && e.Report.Role == syncproto.Child.String() {
		return true
	}
	t := tree{e.nodes()}
	return t.allReaders(0, e.Report.Role, false)
}

// allReaders reports whether every cause at or below node i is the reader's own; own says whether the node above i is.
func (t tree) allReaders(i int, reporter string, own bool) bool {
	if n := &t.nodes[i]; n.Type == syncproto.NodeRemote {
		own = !own
		if n.From != "" {
			own = n.From != reporter
		}
	}
	leaf, all := true, true
	t.eachChild(i, func(k int) {
		leaf = false
		all = all && t.allReaders(k, reporter, own)
	})
	if leaf {
		return own
	}
	return all
}
