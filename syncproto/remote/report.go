package remote

import (
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/handfast/handfast/syncproto"
)

// Maximum size of a report; nodes beyond it are counted in Report.Dropped. Real errors are far smaller: the bounds are
// for trees with loops.
const (
	MaxNodes = 64
	MaxDepth = 32
)

// Locator is an error that knows the step of a set-up that failed: the stage, such as "mount", the operation and the
// path, each of which may be empty. Report turns it into a syncproto.NodeStep, and on the other side errors.As finds a
// Locator again.
type Locator interface {
	error
	Location() (stage, op, path string)
}

// Report describes err, which must not be nil, with its whole tree of causes. An empty code is replaced by CodeOf(err).
// The caller fills in Role, PID and state, and cuts the report to the size of a frame with Report.Fit. If a method of
// err panics, only the text of that error is lost.
func Report(err error, code syncproto.Code) syncproto.Report {
	if code == "" {
		code = CodeOf(err)
	}
	w := writer{}
	if !w.tree(err, 0, 1) {
		w.nodes = []syncproto.ReportNode{{Type: syncproto.NodeText, Text: "no error was given"}}
	}
	return syncproto.Report{Code: syncproto.Code(validUTF8(string(code))), Nodes: w.nodes, Dropped: w.dropped}
}

type writer struct {
	nodes   []syncproto.ReportNode
	dropped int
}

// tree appends err and what it wraps below the node with number parent. It reports whether there was room for err
// itself.
func (w *writer) tree(err error, parent, depth int) bool {
	if err == nil {
		return false
	}
	if len(w.nodes) >= MaxNodes || depth > MaxDepth {
		w.dropped++
		return false
	}
	if r, ok := err.(*Error); ok && r != nil {
		return w.received(r, parent)
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

// received appends the nodes of an error that was itself received, below a node that names the role which reported it.
func (w *writer) received(r *Error, parent int) bool {
	from := validUTF8(r.Report.Role)
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

// ownWords sets the text that err adds to that of its children; full is the text of err. If full does not end with the
// text of the children, the node keeps all of it.
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
	n.Text, n.Whole = validUTF8(own), whole
}

// fieldWords returns the text of a node without Text: its operation and path.
func fieldWords(n *syncproto.ReportNode) string {
	if n.Op == "" || n.Path == "" {
		return n.Op + n.Path
	}
	return n.Op + " " + n.Path
}

// bareWords returns the text of a node without Text if the nodes below it have none either: its fields, and the text of
// the error or sentinel that it names, or that name if it is unknown here.
func bareWords(n *syncproto.ReportNode) string {
	what := ""
	switch no, s := errnoOf(n.Errno), sentinelByName(n.Sentinel); {
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

// describe returns the node for err without its text. Methods of foreign types are called only under recover, because a
// typed nil is an error too.
func describe(err error, many bool) (n syncproto.ReportNode) {
	n.Type = syncproto.NodeText
	defer func() {
		_ = recover()
		n.Stage, n.Op, n.Path = validUTF8(n.Stage), validUTF8(n.Op), validUTF8(n.Path)
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
		if n.Sentinel = validUTF8(sentinelName(err)); n.Sentinel != "" {
			n.Type = syncproto.NodeSentinel
			break
		}
		isAlso(err, &n)
	}
	return n
}

// isAlso records which error err claims to be by its own Is method, which the other side cannot call.
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
	n.Sentinel = validUTF8(firstMatchingName(e.Is))
}

// unwrap returns what err wraps; many reports whether it may wrap several errors.
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

// textOf returns err.Error(), or a text that says why there is none.
func textOf(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = "an error whose text cannot be had: its Error method panics"
		}
	}()
	return err.Error()
}

// validUTF8 returns s as valid UTF-8, as the data model requires.
func validUTF8(s string) string {
	s, _ = syncproto.StringValue(s).Text()
	return s
}
