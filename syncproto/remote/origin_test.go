package remote_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/remote"
)

// reportedBack returns the error that a side's peer gets when the side reports err.
func reportedBack(t rapid.TB, by syncproto.Role, err error) error {
	r := remote.Report(err, "")
	r.Role = by.String()
	v, e := syncproto.ToValue(r)
	if e != nil {
		t.Fatalf("ToValue: %v", e)
	}
	b, e := codec.JSON().Append(nil, v)
	if e != nil {
		t.Fatalf("Append: %v", e)
	}
	if v, e = codec.JSON().Decode(b, syncproto.Limits{}); e != nil {
		t.Fatalf("Decode: %v", e)
	}
	var got syncproto.Report
	if e := syncproto.FromValue(v, &got, true); e != nil {
		t.Fatalf("FromValue: %v", e)
	}
	return remote.FromReport(got)
}

func TestIsRemote(t *testing.T) {
	missing := fmt.Errorf("here: %w", &fs.PathError{Op: "open", Path: "/x", Err: unix.ENOENT})
	parent, child := syncproto.Parent, syncproto.Child
	refused := reportedBack(t, parent, missing) // the error that the child gets when the parent refuses its request
	report := func(code syncproto.Code, role string, nodes ...syncproto.ReportNode) error {
		return remote.FromReport(syncproto.Report{Code: code, Role: role, Nodes: nodes})
	}
	anyone, eio := syncproto.ReportNode{Type: "remote"}, syncproto.ReportNode{Parent: 1, Type: "errno", Errno: "EIO"}
	inner := syncproto.ReportNode{Parent: 1, Type: "remote"}
	deep := syncproto.ReportNode{Parent: 2, Type: "errno", Errno: "EIO"}
	reworded := fmt.Errorf("start: %w", reportedBack(t, child, fmt.Errorf("mount: %w", refused)))
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"nothing", nil, false},
		{"one's own", missing, false},
		{"an errno", unix.ENOENT, false},
		{"the other side's", fmt.Errorf("start: %w", reportedBack(t, child, missing)), true},
		{"the parent's, at the child", refused, true},
		{"one's own, given back", reportedBack(t, child, refused), false},
		{"one's own, given back in other words", reworded, false},
		{"one's own and the other side's", reportedBack(t, child, errors.Join(refused, unix.EIO)), true},
		{"given back twice", reportedBack(t, parent, reportedBack(t, child, refused)), true},
		{"from a conversation below", reportedBack(t, child, reportedBack(t, child, missing)), true},
		{"from a conversation above", reportedBack(t, parent, reportedBack(t, parent, missing)), true},
		{"cancelled", report(syncproto.CodeCancelled, "child", eio), false},
		{"cancelled by the parent", report(syncproto.CodeCancelled, "parent", eio), true},
		{"a child that does not say from whom", report("setup", "child", anyone, eio), false},
		{"the same within another", report("setup", "child", anyone, inner, deep), true},
		{"a remote node with nothing below", report("setup", "child", syncproto.ReportNode{Type: "remote", From: "parent"}),
			false},
		{"no nodes", report("setup", "child"), true},
		{"among several", errors.Join(missing, reportedBack(t, child, refused), reportedBack(t, child, missing)), true},
		{"a loop", loop{}, false},
		{"a typed nil", (*remote.Error)(nil), false},
	} {
		if got := remote.IsRemote(test.err); got != test.want {
			t.Errorf("%s: IsRemote is %v, want %v (%v)", test.name, got, test.want, test.err)
		}
	}
	if back := reportedBack(t, child, refused); !errors.Is(back, unix.ENOENT) {
		t.Errorf("what was given back is no longer ENOENT: %v", back)
	}
}

// However often an error goes back and forth, only its origin recognizes it as its own.
func TestEchoesBelongToTheirOrigin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.SampledFrom([]syncproto.Role{syncproto.Parent, syncproto.Child}).Draw(t, "first")
		err := trees(1).Filter(func(e error) bool {
			return !remote.IsRemote(e) && remote.CodeOf(e) != syncproto.CodeCancelled
		}).Draw(t, "error")
		at := first
		for range rapid.IntRange(1, 4).Draw(t, "times") {
			err = reportedBack(t, at, fmt.Errorf("again: %w", err))
			at = at.Peer()
			if want := at != first; remote.IsRemote(err) != want {
				t.Fatalf("at the %v, of an error that the %v had first, IsRemote is %v: %v", at, first, !want, err)
			}
		}
	})
}
