package remote_test

import (
	"errors"
	"io"
	"io/fs"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/remote"
)

// A node without a text of its own is shown by the names in it; only an empty node shows nothing.
func TestErrorsWithoutWords(t *testing.T) {
	type nodes = []syncproto.ReportNode
	errno := func(name string) syncproto.ReportNode {
		return syncproto.ReportNode{Parent: 1, Type: "errno", Errno: name}
	}
	for _, test := range []struct {
		nodes nodes
		want  string
	}{
		{
			nodes{{Type: "path", Op: "execve", Path: "/no/such"}, errno("ENOENT")},
			"execve /no/such: no such file or directory (ENOENT)",
		},
		{nodes{{Type: "errno", Errno: "EACCES"}}, "permission denied (EACCES)"},
		{nodes{{Type: "errno", Errno: "EOFTOMORROW"}}, "EOFTOMORROW"},
		{nodes{{Type: "path", Op: "open", Path: "/x"}, errno("EOFTOMORROW")}, "open /x: EOFTOMORROW"},
		{nodes{{Type: "path", Op: "open", Path: "/x", Errno: "EIO"}}, "open /x: input/output error (EIO)"},
		{
			nodes{{Type: "step", Stage: "mount", Op: "mount", Path: "/proc"}, errno("EPERM")},
			"mount /proc: operation not permitted (EPERM)",
		},
		{nodes{{Type: "join"}, errno("EIO"), errno("ENEW")}, "input/output error (EIO); ENEW"},
		{nodes{{Type: "errno", Errno: "ENOENT", Text: "not there"}}, "not there"},
		{nodes{{Type: "errno", Errno: "ENOENT"}, {Parent: 1, Type: "text", Text: "said below"}}, "said below"},
		{nodes{{Type: "errno", Errno: "ENOENT"}, {Parent: 1, Type: "text"}}, "no such file or directory (ENOENT)"},
		{nodes{{Type: "sentinel", Sentinel: "io.EOF"}}, "EOF"},
		{nodes{{Type: "sentinel", Sentinel: "their.ErrBusy"}}, "their.ErrBusy"},
		{nodes{{Type: "remote", From: "parent"}, errno("EIO")}, "input/output error (EIO)"},
		{nodes{{Type: "errno"}}, "setup error without words"},
		{nodes{{Type: "text"}, {Parent: 1, Type: "join"}}, "setup error without words"},
		{nil, "setup error without words"},
	} {
		r := syncproto.Report{Code: syncproto.CodeSetup, Role: "child", Nodes: test.nodes}
		e := remote.FromReport(r)
		if got := e.Error(); got != test.want {
			t.Errorf("%+v\n says %q\nwant %q", test.nodes, got, test.want)
		}
		if got := remote.FromReport(remote.Report(e, "")).Error(); got != test.want {
			t.Errorf("reported again, %q says %q", test.want, got)
		}
	}
}

// Errors of the standard library that are built from nodes have a text too, and do not repeat it.
func TestStandardErrorsOfNodes(t *testing.T) {
	for _, test := range []struct {
		nodes []syncproto.ReportNode
		want  string
	}{
		{
			[]syncproto.ReportNode{{Type: "path", Op: "open", Path: "/x"}, {Parent: 1, Type: "errno", Errno: "ENEW"}},
			"open /x: ENEW",
		},
		{[]syncproto.ReportNode{{Type: "path", Op: "open", Path: "/x", Errno: "EIO"}}, "open /x: input/output error"},
		{[]syncproto.ReportNode{{Type: "path", Op: "open", Path: "/x", Errno: "ENEW"}}, "open /x: ENEW"},
		{[]syncproto.ReportNode{{Type: "path", Op: "open", Path: "/x"}}, "open /x: no cause was given"},
	} {
		var p *fs.PathError
		if e := remote.FromReport(syncproto.Report{Nodes: test.nodes}); !errors.As(e, &p) || p.Error() != test.want {
			t.Errorf("%+v: %v, want %q", test.nodes, p, test.want)
		}
	}
}

// A report of a Go error contains the name of an errno and its text, however it is wrapped.
func TestReportsNameTheErrno(t *testing.T) {
	at := &fs.PathError{Op: "open", Path: "/x", Err: unix.ENOENT}
	for _, err := range []error{unix.ENOENT, at, errors.Join(io.EOF, unix.ENOENT)} {
		found := false
		for _, n := range remote.Report(err, "").Nodes {
			found = found || n.Type == syncproto.NodeErrno && n.Errno == "ENOENT" && n.Text == "no such file or directory"
		}
		if !found {
			t.Errorf("%v: %+v", err, remote.Report(err, "").Nodes)
		}
	}
}
