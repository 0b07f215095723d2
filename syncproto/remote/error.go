package remote

import (
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/handfast/handfast/internal/oneline"
	"github.com/handfast/handfast/syncproto"
)

// Error is an error of the other process. FromReport makes it; errors.As finds it in an error that wraps it.
type Error struct {
	Report syncproto.Report // what the peer sent; must not be changed
}

// FromReport returns the error that a report describes. It accepts any report: a node whose parent does not precede it
// becomes a child of the root, a report without nodes gets one, and nodes beyond MaxNodes are dropped.
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

// Error returns the text of the original in one line: line breaks become "; ", and other invisible characters are
// escaped, so that a peer cannot control a terminal or start a line of a log. Truncation shows: a text that was cut, or
// below which some text is missing, ends in "...".
//
// An errno that came without text is shown as this system's text for it and its name, "no such file or directory
// (ENOENT)", or as its name alone if this architecture has no such error; a sentinel is shown by its text or its name.
// A report of the code "setup" that holds neither texts nor names is shown as "setup error without words".
func (e *Error) Error() string {
	if e == nil {
		return "no remote error"
	}
	t := tree{e.nodes()}
	text := OneLine(t.text(0))
	if text == "" {
		text = OneLine(string(codeOrInternal(e.Report.Code))) + " error without words"
	}
	return text
}

// Unwrap returns the root of the original's tree, rebuilt at each call from the nodes that have a meaning in this
// process: syscall.Errno, *fs.PathError, *os.SyscallError, *exec.Error, Locator, and known sentinels.
func (e *Error) Unwrap() []error {
	if e == nil {
		return nil
	}
	return []error{tree{e.nodes()}.build(0)}
}

// codeOrInternal returns a report's code, or CodeInternal if it has none.
func codeOrInternal(c syncproto.Code) syncproto.Code {
	if c == "" {
		return syncproto.CodeInternal
	}
	return c
}

// nodes returns the report's nodes, within bounds even if the Error was not made by FromReport.
func (e *Error) nodes() []syncproto.ReportNode {
	n := e.Report.Nodes[:min(len(e.Report.Nodes), MaxNodes)]
	if len(n) == 0 {
		n = []syncproto.ReportNode{{Type: syncproto.NodeText}}
	}
	return n
}

// parentOf returns the index of the parent of node i, which is not the root. It always precedes i, so a report cannot
// contain loops.
func parentOf(nodes []syncproto.ReportNode, i int) int {
	if p := nodes[i].Parent; p >= 1 && p <= i {
		return p - 1
	}
	return 0
}

// tree gives access to the nodes of a report. Finding the children of a node takes a pass over at most MaxNodes of
// them.
type tree struct{ nodes []syncproto.ReportNode }

func (t tree) eachChild(parent int, f func(i int)) {
	for i := parent + 1; i < len(t.nodes); i++ {
		if parentOf(t.nodes, i) == parent {
			f(i)
		}
	}
}

// text returns the text of node i and of those below it.
func (t tree) text(i int) string {
	n := &t.nodes[i]
	var kids []string
	if !n.Whole {
		t.eachChild(i, func(k int) { kids = append(kids, t.text(k)) })
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

// build returns node i as an error of this process.
func (t tree) build(i int) error {
	n := &t.nodes[i]
	var kids []error
	t.eachChild(i, func(k int) { kids = append(kids, t.build(k)) })
	if no := errnoOf(n.Errno); no != 0 {
		kids = append(kids, no)
	}
	if s := sentinelByName(n.Sentinel); s != nil && n.Sentinel != "" {
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

// cause returns the error that a type of the standard library wraps: a single error, never nil. Those types print the
// node's fields themselves, so if there is no other text, the cause does not repeat them.
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

// node is an error of which only the text, and what it wraps, have a meaning here.
type node struct {
	text string
	kids []error
}

func (n *node) Error() string   { return n.text }
func (n *node) Unwrap() []error { return n.kids }

// step is a node that knows in which step of a set-up it happened.
type step struct {
	node
	stage, op, path string
}

// Location returns the step that failed in the other process; see Locator.
func (s *step) Location() (stage, op, path string) { return s.stage, s.op, s.path }

// OneLine makes s fit for a line of a log or a terminal: line breaks become "; ", characters that are neither visible
// nor a space are escaped as in Go, and bytes that are not UTF-8 become U+FFFD.
func OneLine(s string) string { return oneline.Of(s) }
