package remote

import (
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/handfast/handfast/syncproto"
)

// Error is an error of the other process. It is made by FromReport; errors.As finds it in whatever wraps it.
type Error struct {
	Report syncproto.Report // what the peer sent; not to be changed
}

// FromReport is the error that a report describes. It takes any report at all: a node whose parent does not stand
// before it becomes a child of the root, a report without nodes gets one, and of more than MaxNodes the rest is
// dropped.
func FromReport(r syncproto.Report) *Error {
	if over := len(r.Nodes) - MaxNodes; over > 0 {
		r.Dropped = max(r.Dropped, 0) + over
	}
	nodes := append([]syncproto.ReportNode(nil), r.Nodes[:min(len(r.Nodes), MaxNodes)]...)
	for i := range nodes {
		if nodes[i].Parent = 0; i > 0 {
			nodes[i].Parent = parentOf(r.Nodes, i) + 1
		}
	}
	if len(nodes) == 0 {
		nodes = []syncproto.ReportNode{{Type: syncproto.NodeText}}
	}
	r.Nodes = nodes
	return &Error{Report: r}
}

// Error is the original's text in one line: line breaks become "; ", and other characters that cannot be seen are
// escaped, so that no peer writes on a terminal or starts a line of a log. What was cut on its way shows: words that
// were cut, and words below which some are missing, end in "...".
//
// An errno that came without words is shown by its text here and its name, "no such file or directory (ENOENT)", or by
// its name alone where this architecture has no such error; a sentinel by its text or name. "setup error without words"
// is said only where a report of the code "setup" holds neither words nor names.
func (e *Error) Error() string {
	if e == nil {
		return "no remote error"
	}
	t := tree{e.nodes()}
	text := OneLine(t.text(0))
	if text == "" {
		text = OneLine(string(codeOr(e.Report.Code))) + " error without words"
	}
	return text
}

// Unwrap is the root of the original's tree, made anew at each call of what has a meaning in this process:
// syscall.Errno, *fs.PathError, *os.SyscallError, *exec.Error, Locator, and known sentinels.
func (e *Error) Unwrap() []error {
	if e == nil {
		return nil
	}
	return []error{tree{e.nodes()}.build(0)}
}

// codeOr is a report's code; one without a code is of the class of everything else.
func codeOr(c syncproto.Code) syncproto.Code {
	if c == "" {
		return syncproto.CodeInternal
	}
	return c
}

// nodes are the report's nodes, within bounds even where the Error was not made by FromReport.
func (e *Error) nodes() []syncproto.ReportNode {
	n := e.Report.Nodes[:min(len(e.Report.Nodes), MaxNodes)]
	if len(n) == 0 {
		n = []syncproto.ReportNode{{Type: syncproto.NodeText}}
	}
	return n
}

// parentOf is the index of the parent of node i, which is not the root. It always stands before i: so there are no
// loops, whatever was sent.
func parentOf(nodes []syncproto.ReportNode, i int) int {
	if p := nodes[i].Parent; p >= 1 && p <= i {
		return p - 1
	}
	return 0
}

// tree reads nodes. Looking for the children of a node costs a pass over at most MaxNodes of them.
type tree struct{ nodes []syncproto.ReportNode }

func (t tree) each(parent int, f func(i int)) {
	for i := parent + 1; i < len(t.nodes); i++ {
		if parentOf(t.nodes, i) == parent {
			f(i)
		}
	}
}

// text is the words of node i and of those below it.
func (t tree) text(i int) string {
	n := &t.nodes[i]
	var kids []string
	if !n.Whole {
		t.each(i, func(k int) { kids = append(kids, t.text(k)) })
	}
	below := strings.Join(kids, "\n")
	own := n.Text
	switch {
	case own != "":
	case below != "":
		own = fieldWords(n)
	default:
		own = bareWords(n)
	}
	if n.Truncated {
		own += "..."
	}
	switch {
	case len(kids) == 0 || below == "" && n.Text == "":
		return own
	case own == "":
		return below
	default:
		return own + ": " + below
	}
}

// build is node i as an error of this process.
func (t tree) build(i int) error {
	n := &t.nodes[i]
	var kids []error
	t.each(i, func(k int) { kids = append(kids, t.build(k)) })
	if no := errnoOf(n.Errno); no != 0 {
		kids = append(kids, no)
	}
	if s := sentinel(n.Sentinel); s != nil && n.Sentinel != "" {
		kids = append(kids, s)
	}
	text := OneLine(t.text(i))
	switch n.Type {
	case syncproto.NodePath:
		return &fs.PathError{Op: n.Op, Path: n.Path, Err: cause(n, text, kids)}
	case syncproto.NodeSyscall:
		return &os.SyscallError{Syscall: n.Op, Err: cause(n, text, kids)}
	case syncproto.NodeExec:
		return &exec.Error{Name: n.Path, Err: cause(n, text, kids)}
	case syncproto.NodeStep:
		return &step{node{text, kids}, n.Stage, n.Op, n.Path}
	case syncproto.NodeErrno, syncproto.NodeSentinel:
		if len(kids) == 1 {
			return kids[0]
		}
	}
	return &node{text, kids}
}

// cause is what the error types of the standard library wrap: a single error, and never nil. They say the node's fields
// themselves, so where nothing else came the cause does not say them again.
func cause(n *syncproto.ReportNode, text string, kids []error) error {
	switch {
	case len(kids) == 1:
		return kids[0]
	case len(kids) == 0 && n.Text == "" && n.Errno == "" && n.Sentinel == "":
		text = "no cause was given"
	case len(kids) == 0 && n.Text == "":
		bare := *n
		bare.Op, bare.Path = "", ""
		text = OneLine(bareWords(&bare))
	}
	return &node{text, kids}
}

// node is an error of which only the words, and what it wraps, have a meaning here.
type node struct {
	text string
	kids []error
}

func (n *node) Error() string   { return n.text }
func (n *node) Unwrap() []error { return n.kids }

// step is a node that knows where in a set-up it happened.
type step struct {
	node
	stage, op, path string
}

// Location is the step that failed in the other process; see Locator.
func (s *step) Location() (stage, op, path string) { return s.stage, s.op, s.path }

// OneLine is s fit for a line of a log or a terminal: line breaks become "; ", and what is neither visible nor a space
// is escaped as Go writes it.
func OneLine(s string) string {
	clean := true
	for _, r := range s {
		clean = clean && strconv.IsGraphic(r)
	}
	if clean {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for _, r := range s {
		switch {
		case r == '\n':
			b = append(b, "; "...)
		case strconv.IsGraphic(r):
			b = append(b, string(r)...)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b = append(b, q[1:len(q)-1]...)
		}
	}
	return string(b)
}
