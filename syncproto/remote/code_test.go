package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/remote"
)

// coded is an application's error that names its code.
type coded struct {
	code syncproto.Code
	err  error
}

func (e *coded) Error() string            { return "coded" }
func (e *coded) Unwrap() error            { return e.err }
func (e *coded) SyncCode() syncproto.Code { return e.code }

func TestCodeOf(t *testing.T) {
	violation := &syncproto.ProtocolError{Code: syncproto.CodeLimit}
	theirs := remote.FromReport(syncproto.Report{Code: syncproto.CodeHook})
	var noViolation *syncproto.ProtocolError
	var noRemote *remote.Error
	var noCoded *coded
	for _, test := range []struct {
		name string
		err  error
		want syncproto.Code
	}{
		{"nothing", nil, syncproto.CodeInternal},
		{"any", errors.New("x"), syncproto.CodeInternal},
		{"an errno", unix.ETIMEDOUT, syncproto.CodeInternal},
		{"cancelled", fmt.Errorf("x: %w", context.Canceled), syncproto.CodeCancelled},
		{"a deadline", context.DeadlineExceeded, syncproto.CodeTimeout},
		{"a wrapped deadline", fmt.Errorf("x: %w", context.DeadlineExceeded), syncproto.CodeTimeout},
		{"a deadline of a file", &fs.PathError{Op: "read", Path: "/x", Err: os.ErrDeadlineExceeded}, syncproto.CodeTimeout},
		{"cancelled and late", errors.Join(context.DeadlineExceeded, context.Canceled), syncproto.CodeCancelled},
		{"claims to be late", isError{"x", context.DeadlineExceeded}, syncproto.CodeTimeout},
		{"a violation", violation, syncproto.CodeLimit},
		{"the peer's", fmt.Errorf("x: %w", theirs), syncproto.CodeHook},
		{"the peer's without a code", remote.FromReport(syncproto.Report{}), syncproto.CodeInternal},
		{"a code of one's own", fmt.Errorf("x: %w", &coded{code: "app:busy"}), "app:busy"},
		{"the outer code decides", &coded{"app:outer", violation}, "app:outer"},
		{"an outer error that is silent", &coded{"", violation}, syncproto.CodeLimit},
		{"the inner code", fmt.Errorf("x: %w", &coded{"", theirs}), syncproto.CodeHook},
		{"the outer violation", errors.Join(violation, theirs), syncproto.CodeLimit},
		{"the outer report", errors.Join(theirs, violation), syncproto.CodeHook},
		{"a code before a deadline", errors.Join(context.DeadlineExceeded, violation), syncproto.CodeLimit},
		{"a typed nil", noViolation, syncproto.CodeInternal},
		{"another typed nil", noRemote, syncproto.CodeInternal},
		{"a third", noCoded, syncproto.CodeInternal},
		{"panics", panics{}, syncproto.CodeInternal},
		{"a loop", loop{}, syncproto.CodeInternal},
		{"a broad loop", broad{}, syncproto.CodeInternal},
		{"cannot be compared", uncomparable{}, syncproto.CodeInternal},
	} {
		if got := remote.CodeOf(test.err); got != test.want {
			t.Errorf("%s: CodeOf says %q, want %q", test.name, got, test.want)
		}
		if got := remote.Report(test.err, "").Code; got != test.want {
			t.Errorf("%s: Report says %q, want %q", test.name, got, test.want)
		}
	}
}

// These types are Coders.
var (
	_ remote.Coder = (*syncproto.ProtocolError)(nil)
	_ remote.Coder = (*remote.Error)(nil)
	_ remote.Coder = (*coded)(nil)
)

func ExampleCoder() {
	busy := &coded{code: "app:busy"}
	fmt.Println(remote.CodeOf(fmt.Errorf("start: %w", busy)))
	fmt.Println(remote.CodeOf(context.DeadlineExceeded))
	// Output:
	// app:busy
	// timeout
}
