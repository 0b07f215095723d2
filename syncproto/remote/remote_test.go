package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/remote"
)

// stepError is an error of a set-up, as a child makes them.
type stepError struct {
	stage, op, path string
	err             error
}

func (e *stepError) Error() string {
	return e.stage + ": " + e.op + " " + e.path + ": " + e.err.Error()
}
func (e *stepError) Unwrap() error                      { return e.err }
func (e *stepError) Location() (stage, op, path string) { return e.stage, e.op, e.path }

// isError claims to be another error without wrapping it.
type isError struct {
	text string
	is   error
}

func (e isError) Error() string        { return e.text }
func (e isError) Is(target error) bool { return target == e.is }

var errRegistered = errors.New("registered for the tests")

func sentinels() []error {
	return []error{
		io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, context.Canceled, context.DeadlineExceeded, fs.ErrNotExist,
		fs.ErrExist, fs.ErrPermission, fs.ErrClosed, fs.ErrInvalid,
		os.ErrDeadlineExceeded, os.ErrProcessDone, exec.ErrNotFound, exec.ErrDot, errors.ErrUnsupported, errRegistered,
	}
}

func TestMain(m *testing.M) {
	if err := remote.Register("remote_test.errRegistered", errRegistered); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// roundTripError converts err to a report, through a codec's bytes, and back.
func roundTripError(t rapid.TB, c codec.Codec, err error) *remote.Error {
	t.Helper()
	v, e := syncproto.ToValue(remote.Report(err, syncproto.CodeSetup))
	if e != nil {
		t.Fatalf("ToValue: %v", e)
	}
	b, e := c.Append(nil, v)
	if e != nil {
		t.Fatalf("Append: %v", e)
	}
	if v, e = c.Decode(b, syncproto.Limits{}); e != nil {
		t.Fatalf("Decode: %v", e)
	}
	var r syncproto.Report
	if e := syncproto.FromValue(v, &r, false); e != nil {
		t.Fatalf("FromValue: %v", e)
	}
	return remote.FromReport(r)
}

// words generates texts of errors, including texts that are easily split wrongly: colons, quotes, line breaks, the
// empty string.
func words() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"mount", "open: it", "x", ": ", "a \"quoted\" word", "two\nlines", "\u00fcber", " ",
		"tab\t", "\x1b[31m"})
}

func trees(depth int) *rapid.Generator[error] {
	return rapid.Custom(func(t *rapid.T) error {
		n := 13
		if depth == 0 {
			n = 4
		}
		kid := func() error { return trees(depth-1).Draw(t, "kid") }
		word := func() string { return words().Draw(t, "word") }
		switch rapid.IntRange(0, n-1).Draw(t, "type") {
		case 0:
			return errors.New(word())
		case 1:
			return syscall.Errno(rapid.IntRange(1,
				133).Filter(func(n int) bool { return unix.ErrnoName(syscall.Errno(n)) != "" }).Draw(t, "errno"))
		case 2:
			return rapid.SampledFrom(sentinels()).Draw(t, "sentinel")
		case 3:
			return isError{word(), rapid.SampledFrom(append(sentinels(), unix.EBUSY)).Draw(t, "is")}
		case 4:
			return &fs.PathError{Op: word(), Path: word(), Err: kid()}
		case 5:
			return &os.SyscallError{Syscall: word(), Err: kid()}
		case 6:
			return &os.LinkError{Op: word(), Old: word(), New: word(), Err: kid()}
		case 7:
			return &exec.Error{Name: word(), Err: kid()}
		case 8:
			return &stepError{word(), word(), word(), kid()}
		case 9:
			return fmt.Errorf("%s: %w", word(), kid())
		case 10:
			return fmt.Errorf("%w (%s) %w", kid(), word(), kid())
		case 11:
			return errors.Join(kid(), kid())
		default:
			return remote.FromReport(remote.Report(kid(), syncproto.CodeExec))
		}
	})
}

// The text is the same in one line, and errors.Is gives the same results for every error that has a name.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		err := trees(4).Draw(t, "error")
		c := rapid.SampledFrom([]codec.Codec{codec.JSON(), codec.MessagePack()}).Draw(t, "codec")
		if n := count(err); n > remote.MaxNodes {
			t.Skip("more nodes than a report takes")
		}
		got := roundTripError(t, c, err)
		if want := remote.OneLine(err.Error()); got.Error() != want {
			t.Fatalf("text\n got %q\nwant %q\nof %+v", got, want, got.Report)
		}
		for _, s := range sentinels() {
			if want := errors.Is(err, s); errors.Is(got, s) != want {
				t.Fatalf("errors.Is(%q, %v) = %v, want %v\nof %+v", got, s, !want, want, got.Report)
			}
		}
		for no := syscall.Errno(1); no <= 133; no++ {
			if want := errors.Is(err, no); errors.Is(got, no) != want {
				t.Fatalf("errors.Is(%q, %v) = %v, want %v", got, no, !want, want)
			}
		}
		sameAs[*fs.PathError](t, err, got, func(e *fs.PathError) string { return e.Op + "|" + e.Path })
		sameAs[*os.SyscallError](t, err, got, func(e *os.SyscallError) string { return e.Syscall })
		sameAs[*exec.Error](t, err, got, func(e *exec.Error) string { return e.Name })
		sameAs[remote.Locator](t, err, got, func(e remote.Locator) string { return fmt.Sprint(e.Location()) })
	})
}

func sameAs[E error](t *rapid.T, err, got error, describe func(E) string) {
	var a, b E
	if want := errors.As(err, &a); errors.As(got, &b) != want {
		t.Fatalf("errors.As(%q, %T) = %v, want %v", got, a, !want, want)
	} else if want && describe(a) != describe(b) {
		t.Fatalf("errors.As gives %s, want %s", describe(b), describe(a))
	}
}

func count(err error) int {
	n := 1
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, k := range e.Unwrap() {
			n += count(k)
		}
	case interface{ Unwrap() error }:
		n += count(e.Unwrap())
	}
	return n
}

func TestEveryErrno(t *testing.T) {
	for no := syscall.Errno(1); no < 256; no++ {
		if unix.ErrnoName(no) == "" {
			continue
		}
		err := roundTripError(t, codec.JSON(), fmt.Errorf("mount: %w", no))
		if !errors.Is(err, no) || err.Error() != "mount: "+remote.OneLine(no.Error()) {
			t.Errorf("errno %d %s became %v", no, unix.ErrnoName(no), err)
		}
	}
}

// The names that another system's C library uses for the same numbers.
func TestErrnoAliases(t *testing.T) {
	for name, want := range map[string]error{"EWOULDBLOCK": unix.EAGAIN, "EDEADLOCK": unix.EDEADLK,
		"ENOTSUP": unix.EOPNOTSUPP, "EOPNOTSUPP": unix.ENOTSUP} {
		err := remote.FromReport(syncproto.Report{Nodes: []syncproto.ReportNode{{Type: syncproto.NodeErrno, Errno: name}}})
		if !errors.Is(err, want) {
			t.Errorf("%s is not %v", name, want)
		}
	}
}

func TestRegister(t *testing.T) {
	if err := remote.Register("io.EOF", errors.New("x")); err == nil {
		t.Error("a known name was registered")
	}
	for _, err := range []error{nil, io.EOF, errRegistered, uncomparable{}} {
		if remote.Register("remote_test.other", err) == nil {
			t.Errorf("Register took %v", err)
		}
	}
	if remote.Register("", errors.New("x")) == nil || remote.Register("remote_test.errRegistered",
		errors.New("x")) == nil {
		t.Error("Register took an empty or a known name")
	}
}

type uncomparable struct{ _ []int }

func (uncomparable) Error() string { return "uncomparable" }

// panics is an error whose methods all panic.
type panics struct{}

func (panics) Error() string                      { panic("Error") }
func (panics) Unwrap() error                      { panic("Unwrap") }
func (panics) Is(error) bool                      { panic("Is") }
func (panics) Location() (stage, op, path string) { panic("Location") }

// loop wraps itself.
type loop struct{}

func (loop) Error() string { return "loop" }
func (loop) Unwrap() error { return loop{} }

// broad wraps itself twice, so that its tree doubles at each level.
type broad struct{}

func (broad) Error() string   { return "broad" }
func (broad) Unwrap() []error { return []error{broad{}, nil, broad{}} }

func TestHostileErrors(t *testing.T) {
	var typedNil *fs.PathError
	var nilRemote *remote.Error
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, "no error was given"},
		{typedNil, "an error whose text cannot be had: its Error method panics"},
		{panics{}, "an error whose text cannot be had: its Error method panics"},
		{&fs.PathError{Op: "open", Path: "/x"}, "an error whose text cannot be had: its Error method panics"},
		{nilRemote, "no remote error"},
		{loop{}, "loop"},
		{broad{}, "broad"},
		{uncomparable{}, "uncomparable"},
		{errors.New("\xff\xfe"), "\ufffd\ufffd"},
		{errors.New(""), "setup error without words"},
		{syscall.Errno(4000), "errno 4000"},
	} {
		r := remote.Report(test.err, syncproto.CodeSetup)
		if len(r.Nodes) == 0 || len(r.Nodes) > remote.MaxNodes {
			t.Errorf("%T made %d nodes", test.err, len(r.Nodes))
		}
		if got := roundTripError(t, codec.MessagePack(), test.err).Error(); got != test.want {
			t.Errorf("%T became %q, want %q", test.err, got, test.want)
		}
	}
	if r := remote.Report(broad{}, syncproto.CodeSetup); r.Dropped == 0 {
		t.Error("Report dropped nodes of an endless tree and did not count them")
	}
}

// A tree over the bounds keeps its text, and the causes that fit.
func TestTooManyNodes(t *testing.T) {
	var all []error
	for range 2 * remote.MaxNodes {
		all = append(all, unix.EIO)
	}
	wide := fmt.Errorf("unmount: %w", errors.Join(all...))
	deep := error(unix.EIO)
	for range 2 * remote.MaxDepth {
		deep = fmt.Errorf("again: %w", deep)
	}
	for _, err := range []error{wide, deep, fmt.Errorf("nested: %w", roundTripError(t, codec.JSON(), wide))} {
		got := roundTripError(t, codec.JSON(), err)
		if want := remote.OneLine(err.Error()); got.Error() != want {
			t.Errorf("text\n got %q\nwant %q", got, want)
		}
		if got.Report.Dropped == 0 || len(got.Report.Nodes) > remote.MaxNodes {
			t.Errorf("%d nodes, %d dropped", len(got.Report.Nodes), got.Report.Dropped)
		}
	}
}

// Truncation is visible: of a long text, and of a cause that did not fit.
func TestCutsShow(t *testing.T) {
	long := strings.Repeat("é", 3000)
	r := remote.Report(fmt.Errorf("outer: %w", &fs.PathError{Op: "open", Path: "/" + long, Err: unix.ENOENT}),
		syncproto.CodeSetup).Fit(4 << 10)
	got := remote.FromReport(r).Error()
	if !strings.Contains(got, "é...") || strings.Contains(got, "\uFFFD") || !errors.Is(remote.FromReport(r), unix.ENOENT) {
		t.Errorf("a long path: %q", got)
	}
	err := error(unix.ENOENT)
	for i := range 30 {
		err = fmt.Errorf("level %d: %w", i, err)
	}
	r = remote.Report(err, syncproto.CodeSetup).Fit(1 << 10)
	got = remote.FromReport(r).Error()
	if r.Dropped == 0 || !strings.HasSuffix(got, "...") || !strings.HasPrefix(got, "level 29: level 28") {
		t.Errorf("%d causes left out: %q", r.Dropped, got)
	}
}

func TestLastGasp(t *testing.T) {
	v, err := codec.JSON().Decode(remote.LastGasp, syncproto.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var r syncproto.Report
	if err := syncproto.FromValue(v, &r, false); err != nil {
		t.Fatal(err)
	}
	if e := remote.FromReport(r); !errors.Is(e, unix.ENOMEM) || r.Code != syncproto.CodeInternal ||
		e.Error() != unix.ENOMEM.Error() {
		t.Errorf("the last gasp says %v, code %s", e, r.Code)
	}
}

// Any report yields an error that can be printed, matched, and reported again.
func TestAnyReport(t *testing.T) {
	types := []string{"text", "errno", "path", "syscall", "exec", "step", "sentinel", "join", "remote", "of-tomorrow", ""}
	nodes := rapid.Custom(func(t *rapid.T) syncproto.ReportNode {
		return syncproto.ReportNode{
			Parent: rapid.IntRange(-2, 90).Draw(t, "parent"), Type: rapid.SampledFrom(types).Draw(t, "type"),
			Text: rapid.String().Draw(t, "text"), Whole: rapid.Bool().Draw(t, "whole"),
			Op: rapid.String().Draw(t, "op"), Path: rapid.String().Draw(t, "path"), Stage: rapid.String().Draw(t, "stage"),
			Errno:    rapid.SampledFrom([]string{"", "ENOENT", "EWHATEVER", "enoent"}).Draw(t, "errno"),
			Sentinel: rapid.SampledFrom([]string{"", "io.EOF", "of.Others"}).Draw(t, "sentinel"),
			From:     rapid.SampledFrom([]string{"", "parent", "child", "aunt"}).Draw(t, "from"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		r := syncproto.Report{Code: syncproto.Code(rapid.String().Draw(t, "code")),
			Nodes: rapid.SliceOfN(nodes, 0, 90).Draw(t, "nodes"), Dropped: rapid.Int().Draw(t, "dropped")}
		sent := slices.Clone(r.Nodes)
		checkError(t, remote.FromReport(r))
		checkError(t, &remote.Error{Report: r})
		if !slices.Equal(sent, r.Nodes) {
			t.Fatal("FromReport changed the report that it was given")
		}
	})
}

func checkError(t rapid.TB, e *remote.Error) {
	text := e.Error()
	if text == "" || remote.OneLine(text) != text {
		t.Fatalf("Error() = %q, want one line that says something", text)
	}
	var p *fs.PathError
	var s *os.SyscallError
	var x *exec.Error
	if errors.As(e, &p) && p.Error() == "" || errors.As(e, &s) && s.Error() == "" || errors.As(e, &x) && x.Error() == "" {
		t.Fatal("an error without words")
	}
	_, _, _ = errors.Is(e, fs.ErrNotExist), remote.IsRemote(e), remote.CodeOf(e)
	if again := remote.FromReport(remote.Report(e, "")).Error(); len(e.Report.Nodes) < remote.MaxNodes && again != text {
		t.Fatalf("reported again %q, was %q", again, text)
	}
}

func FuzzFromReport(f *testing.F) {
	f.Add(remote.LastGasp)
	f.Add([]byte(`{"code":"","role":"","nodes":[]}`))
	f.Add([]byte(`{"code":"x","role":"child","nodes":[{"parent":7,"type":"path","op":"open","path":"/a"},{"parent":2,"type":"errno","errno":"EIO"},{"parent":-1,"type":"exec"}],"dropped":-9}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := codec.JSON().Decode(b, syncproto.Limits{})
		if err != nil {
			return
		}
		var r syncproto.Report
		if syncproto.FromValue(v, &r, true) == nil {
			checkError(t, remote.FromReport(r))
		}
	})
}

func Example() {
	// In the child: a step fails.
	failed := fmt.Errorf("mount /proc: %w", &fs.PathError{Op: "open", Path: "/rootfs/proc", Err: unix.ENOENT})
	report := remote.Report(failed, syncproto.CodeSetup)

	// In the parent: the same text, and the same results of errors.Is and errors.As.
	err := remote.FromReport(report)
	fmt.Println(err)
	fmt.Println(errors.Is(err, unix.ENOENT), errors.Is(err, fs.ErrNotExist), remote.IsRemote(err))
	var p *fs.PathError
	fmt.Println(errors.As(err, &p), p.Path)
	// Output:
	// mount /proc: open /rootfs/proc: no such file or directory
	// true true true
	// true /rootfs/proc
}

func BenchmarkReport(b *testing.B) {
	err := fmt.Errorf("start: %w", &stepError{"mount", "open", "/proc", &fs.PathError{Op: "open", Path: "/proc",
		Err: unix.ENOENT}})
	b.ReportAllocs()
	for b.Loop() {
		if r := remote.Report(err, syncproto.CodeSetup); len(r.Nodes) != 4 {
			b.Fatal(len(r.Nodes))
		}
	}
}
