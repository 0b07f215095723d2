package remote

import (
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/handfast/handfast/syncproto"
)

// A report holds at most these; what is over them is counted in Report.Dropped. Errors made by programs are far
// smaller: the bounds are for trees with loops.
const (
	MaxNodes = 64
	MaxDepth = 32
)

// Locator is an error that knows the step of a set-up that failed: the stage, such as "mount", the operation and the
// path, each empty where there is none. Report makes a syncproto.NodeStep of it, and on the other side errors.As finds
// a Locator again.
type Locator interface {
	error
	Location() (stage, op, path string)
}

// Report describes err, which is not nil, with its whole tree of causes. An empty code is replaced by CodeOf(err).
// Role, PID and state are the caller's to fill, and so is the cut to the frame's size, with Report.Fit.
// A method of err that panics costs that error's words and no more.
func Report(err error, code syncproto.Code) syncproto.Report {
	if code == "" {
		code = CodeOf(err)
	}
	w := writer{}
	if !w.tree(err, 0, 1) {
		w.nodes = []syncproto.ReportNode{{Type: syncproto.NodeText, Text: "no error was given"}}
	}
	return syncproto.Report{Code: syncproto.Code(clean(string(code))), Nodes: w.nodes, Dropped: w.dropped}
}

type writer struct {
	nodes   []syncproto.ReportNode
	dropped int
}

// tree appends err and what it wraps, below the node with number parent. It reports whether err itself found room.
func (w *writer) tree(err error, parent, depth int) bool {
	if err == nil {
		return false
	}
	if len(w.nodes) >= MaxNodes || depth > MaxDepth {
		w.dropped++
		return false
	}
	if r, ok := err.(*Error); ok && r != nil {
		return w.graft(r, parent)
	}
	kids, many := unwrap(err)
	n := describe(err, many)
	n.Parent = parent
	w.nodes = append(w.nodes, n)
	self := len(w.nodes)
	words, all := make([]string, 0, len(kids)), true
	for _, kid := range kids {
		if kid != nil {
			words = append(words, textOf(kid))
			all = w.tree(kid, self, depth+1) && all
		}
	}
	ownWords(&w.nodes[self-1], textOf(err), words, many, all)
	return true
}

// graft appends the nodes of an error that was itself received, below one node that says so, and whose report it was.
func (w *writer) graft(r *Error, parent int) bool {
	from := clean(r.Report.Role)
	w.nodes = append(w.nodes, syncproto.ReportNode{Parent: parent, Type: syncproto.NodeRemote, From: from})
	self := len(w.nodes)
	nodes := r.nodes()
	for i, n := range nodes {
		if len(w.nodes) >= MaxNodes {
			w.dropped += len(nodes) - i
			break
		}
		n.Parent = self
		if i > 0 {
			n.Parent = self + 1 + parentOf(nodes, i)
		}
		w.nodes = append(w.nodes, n)
	}
	if len(w.nodes)-self < len(nodes) {
		n := &w.nodes[self-1]
		n.Text, n.Whole = r.Error(), true
	}
	w.dropped += max(r.Report.Dropped, 0)
	return true
}

// ownWords finds the words that err, whose text is full, adds to those of its children. Where they are not simply in
// front, the node keeps the full text.
func ownWords(n *syncproto.ReportNode, full string, kids []string, many, all bool) {
	derived := fieldWords(n)
	if len(kids) == 0 {
		derived = bareWords(n)
	}
	own := full
	whole := false
	switch {
	case len(kids) == 0:
	case !all:
		whole = true
	case many:
		if whole = strings.Join(kids, "\n") != full; !whole {
			own = ""
		}
	case kids[0] == full:
		own = ""
	default:
		head, ok := strings.CutSuffix(full, ": "+kids[0])
		if ok && head != "" {
			own = head
		}
		whole = !ok || head == ""
	}
	if own == derived && !whole {
		return
	}
	if own == "" {
		own, whole = full, true
	}
	n.Text, n.Whole = clean(own), whole
}

// fieldWords are the words of a node without a Text: its operation and what that was done to.
func fieldWords(n *syncproto.ReportNode) string {
	if n.Op == "" || n.Path == "" {
		return n.Op + n.Path
	}
	return n.Op + " " + n.Path
}

// bareWords are the words of a node without a Text below which there are none either: its fields', and those of the
// error or sentinel that it names. A name that is not known here is better than nothing.
func bareWords(n *syncproto.ReportNode) string {
	what := ""
	switch no, s := errnoOf(n.Errno), sentinel(n.Sentinel); {
	case no != 0:
		what = no.Error() + " (" + n.Errno + ")"
	case n.Errno != "":
		what = n.Errno
	case n.Sentinel != "" && s != nil:
		what = textOf(s)
	default:
		what = n.Sentinel
	}
	if own := fieldWords(n); own == "" {
		return what
	} else if what != "" {
		return own + ": " + what
	} else {
		return own
	}
}

// describe is err's node without its words. Methods of foreign types are called only below recover: a typed nil is an
// error too.
func describe(err error, many bool) (n syncproto.ReportNode) {
	n.Type = syncproto.NodeText
	defer func() {
		_ = recover()
		n.Stage, n.Op, n.Path = clean(n.Stage), clean(n.Op), clean(n.Path)
	}()
	if many {
		n.Type = syncproto.NodeJoin
	}
	switch e := err.(type) {
	case syscall.Errno:
		if name := errnoName(e); name != "" {
			n.Type, n.Errno = syncproto.NodeErrno, name
		}
	case *fs.PathError:
		n.Op, n.Path, n.Type = e.Op, e.Path, syncproto.NodePath
	case *os.SyscallError:
		n.Op, n.Type = e.Syscall, syncproto.NodeSyscall
	case *os.LinkError:
		n.Op, n.Path = e.Op, e.New
	case *exec.Error:
		n.Path, n.Type = e.Name, syncproto.NodeExec
	case Locator:
		n.Type = syncproto.NodeStep
		n.Stage, n.Op, n.Path = e.Location()
		isAlso(err, &n)
	default:
		if n.Sentinel = clean(nameOf(err)); n.Sentinel != "" {
			n.Type = syncproto.NodeSentinel
			break
		}
		isAlso(err, &n)
	}
	return n
}

// isAlso notes what err claims to be by a method of its own, of which the other side could not know.
func isAlso(err error, n *syncproto.ReportNode) {
	e, ok := err.(interface{ Is(error) bool })
	if !ok {
		return
	}
	for no := syscall.Errno(1); no <= maxErrno && n.Errno == ""; no++ {
		if name := errnoName(no); name != "" && e.Is(no) {
			n.Errno = name
		}
	}
	n.Sentinel = clean(firstName(e.Is))
}

// unwrap is what err wraps; many reports whether it may wrap several.
func unwrap(err error) (kids []error, many bool) {
	defer func() {
		if recover() != nil {
			kids, many = nil, false
		}
	}()
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		return e.Unwrap(), true
	case interface{ Unwrap() error }:
		if kid := e.Unwrap(); kid != nil {
			return []error{kid}, false
		}
	}
	return nil, false
}

// textOf is err.Error(), or a text that says why there is none.
func textOf(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = "an error whose text cannot be had: its Error method panics"
		}
	}()
	return err.Error()
}

// clean is s as the data model takes it: UTF-8.
func clean(s string) string {
	s, _ = syncproto.StringValue(s).Text()
	return s
}
