package remote_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/remote"
)

// longText generates text of any length with characters that make its encoding longer: quotes, control characters,
// other alphabets.
func longText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		pieces := []string{"x", "\"", "\x01", "é", "🤝", "\u2028", "\x7f", "mount: ", "<&>"}
		piece := rapid.SampledFrom(pieces).Draw(t, "piece")
		times := rapid.SampledFrom([]int{0, 1, 3, 40, 400, 9000}).Draw(t, "times")
		return strings.Repeat(piece, times) + rapid.String().Draw(t, "rest")
	})
}

func anyReport() *rapid.Generator[syncproto.Report] {
	node := rapid.Custom(func(t *rapid.T) syncproto.ReportNode {
		s := func(name string) string { return longText().Draw(t, name) }
		return syncproto.ReportNode{
			Parent: rapid.Int().Draw(t, "parent"), Type: s("type"), From: s("from"), Text: s("text"),
			Stage: s("stage"), Op: s("op"), Path: s("path"), Errno: s("errno"), Sentinel: s("sentinel"),
			Whole: rapid.Bool().Draw(t, "whole"), Truncated: rapid.Bool().Draw(t, "cut"),
		}
	})
	return rapid.Custom(func(t *rapid.T) syncproto.Report {
		s := func(name string) string { return longText().Draw(t, name) }
		return syncproto.Report{
			Code: syncproto.Code(s("code")), Role: s("role"), State: s("state"), Phase: s("phase"), Request: s("request"),
			Nodes: rapid.SliceOfN(node, 0, 8).Draw(t, "nodes"), PID: rapid.Int().Draw(t, "pid"),
			Dropped: rapid.Int().Draw(t, "dropped"), Redacted: true,
		}
	})
}

func encoded(t rapid.TB, c codec.Codec, r syncproto.Report) int {
	v, err := syncproto.ToValue(r)
	if err != nil {
		t.Fatalf("ToValue: %v", err)
	}
	b, err := c.Append(nil, v)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	return len(b)
}

// Any report is cut to the limit in either codec, and is still a valid report.
func TestFitKeepsTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyReport().Draw(t, "report")
		most := rapid.SampledFrom([]uint32{256, 1 << 10, 1 << 11, 1 << 13, 1 << 15, 1 << 16}).Draw(t, "most")
		fit := r.Fit(most)
		for _, c := range []codec.Codec{codec.JSON(), codec.MessagePack()} {
			if n := encoded(t, c, fit); n > int(most) {
				t.Fatalf("Fit(%d) takes %d bytes of %s", most, n, c.Name())
			}
		}
		if len(r.Nodes) > 0 && len(fit.Nodes) == 0 {
			t.Fatal("the root is gone")
		}
		checkError(t, remote.FromReport(fit))
	})
}

// A report of a Go error fits the lowest limit, with the longest fields that a conversation adds to it.
func TestFitAtTheFloor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := remote.Report(fmt.Errorf("setup: %w", trees(4).Draw(t, "error")), syncproto.CodeSetup)
		r.Role, r.State, r.PID = "parent", "Configured", 1<<31-1
		r.Phase, r.Request = strings.Repeat("p", 32), strings.Repeat("r", 32)
		fit := r.Fit(1 << 10)
		if n := encoded(t, codec.JSON(), fit); n > 1<<10 {
			t.Fatalf("%d bytes: %+v", n, fit)
		}
		if fit.Code != r.Code || fit.Phase != r.Phase || fit.Request != r.Request {
			t.Fatalf("the report's own words were cut before its nodes were: %+v", fit)
		}
		checkError(t, remote.FromReport(fit))
	})
}

// A report that fits is not changed.
func TestFitLeavesWhatFits(t *testing.T) {
	err := fmt.Errorf("mount: %w", errors.Join(unix.ENOENT, errors.New(strings.Repeat("x", 900))))
	r := remote.Report(err, syncproto.CodeSetup)
	if fit := r.Fit(2 << 10); fmt.Sprint(fit) != fmt.Sprint(r) {
		t.Errorf("got %+v\nwant %+v", fit, r)
	}
	// A name is removed as a whole, never cut to a different one.
	r.Code = syncproto.Code("app:" + strings.Repeat("c", 2000))
	r.Nodes[0].Errno = "E" + strings.Repeat("X", 2000)
	fit := r.Fit(1 << 10)
	if fit.Code != syncproto.CodeInternal || fit.Nodes[0].Errno != "" || !fit.Nodes[0].Truncated {
		t.Errorf("names that do not fit: %+v", fit)
	}
}
