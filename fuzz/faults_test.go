package fuzz

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/transport/transporttest"
)

// faults generates faults for one end: some that nobody may notice, and in half of the cases one that ends the
// conversation.
func faults(t *rapid.T, side string) transporttest.Faults {
	f := transporttest.Faults{
		Short:       rapid.SampledFrom([]int{0, 1, 7, 15, 16, 17, 1000}).Draw(t, side+" short"),
		Piece:       rapid.SampledFrom([]int{0, 1, 16, 100}).Draw(t, side+" piece"),
		Interrupt:   rapid.SampledFrom([]int{0, 2, 3}).Draw(t, side+" interrupt"),
		ResetBefore: rapid.Bool().Draw(t, side+" reset before"), ResetAfter: rapid.Bool().Draw(t, side+" reset after"),
	}
	f.ResetBefore = f.ResetBefore && !f.ResetAfter
	switch rapid.IntRange(0, 13).Draw(t, side+" fault") {
	case 0:
		f.CutAfter = rapid.IntRange(1, 900).Draw(t, side+" cut after")
	case 1:
		f.BrokenPipe = rapid.IntRange(1, 40).Draw(t, side+" broken pipe after")
	case 2:
		f.CutFDs = true
	case 3:
		f.ExtraFDs = rapid.IntRange(1, 3).Draw(t, side+" extra")
	case 4:
		f.MissingFDs = 1
	case 5:
		f.Leaked = true
	case 6:
		f.Full = true
	}
	return f
}

// shortDeadlines are for peers that never reply.
var shortDeadlines = transport.Deadlines{Hello: 60 * time.Millisecond, Config: 60 * time.Millisecond,
	Idle: 60 * time.Millisecond, Exec: 60 * time.Millisecond, Write: 60 * time.Millisecond, Grace: 20 * time.Millisecond}

// pair joins two ends: memory or the kernel, packets or a stream.
func pair(t *rapid.T) (a, b *transport.Conn) {
	typ := rapid.SampledFrom([]transport.Type{transport.SeqPacket, transport.Stream}).Draw(t, "type")
	if rapid.Bool().Draw(t, "in memory") {
		return transporttest.Memory(typ, 0)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, int(typ)|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	take := transport.Take
	if rapid.Bool().Draw(t, "blocking child") {
		take = transport.Take
	}
	if a, err = transport.Take(fds[0]); err == nil {
		b, err = take(fds[1])
	}
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

// childSide is an honest child that makes every request; it returns whether it sent EXEC and no ERROR.
func childSide(p *transport.Child, fails bool) (committed bool, reported error) {
	ctx := context.Background()
	defer p.Close()
	err := func() error {
		_, fds, err := p.Accept(ctx)
		transport.CloseAll(fds)
		if err != nil {
			return err
		}
		if err := p.Confirm(ctx); err != nil {
			return err
		}
		if _, fds, err = p.Call(ctx, "mount", syncproto.Value{}); err != nil {
			return err
		}
		transport.CloseAll(fds)
		if _, _, err = p.Call(ctx, "console", syncproto.Value{}, 0); err != nil {
			return err
		}
		if fails {
			return &fs.PathError{Op: "open", Path: "/x", Err: unix.ENOTDIR}
		}
		if _, _, err = p.Call(ctx, "ready", syncproto.Value{}); err != nil {
			return err
		}
		return p.Exec(ctx)
	}()
	if err == nil {
		return true, nil
	}
	if p.Fail(ctx, err) == nil && errors.Is(err, unix.ENOTDIR) {
		reported = err
	}
	return false, reported
}

func parentSide(p *transport.Parent) error {
	ctx := context.Background()
	defer p.Close()
	err := p.Open(ctx, syncproto.StringValue("a configuration of some length, so that it can be cut"), []int{0})
	for err == nil {
		var req *transport.Request
		if req, err = p.Next(ctx); err != nil {
			break
		}
		transport.CloseAll(req.FDs)
		var fds []int
		if req.Name == "mount" {
			fds = []int{0}
		}
		err = p.Reply(ctx, syncproto.Value{}, fds...)
	}
	return err
}

// Whatever goes wrong between two honest sides, both must end with one verdict each. Success requires EXEC and then end
// of file, an ERROR that was sent must not be lost unless a fault cut it off, and with harmless faults the conversation
// must succeed. TestMain checks that no descriptor is left open.
func TestConversationsUnderFaults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := pair(t)
		fa, fb := faults(t, "parent"), faults(t, "child")
		fails := rapid.IntRange(0, 3).Draw(t, "child fails") == 0
		c := rapid.SampledFrom([]codec.Codec{codec.JSON(), codec.MessagePack()}).Draw(t, "codec")
		d := transport.Deadlines{} // nothing stops, so that a slow machine alone must not end it
		if fa.Lethal() || fb.Lethal() {
			d = shortDeadlines
		}
		p, err := transport.NewParent(transporttest.WithFaults(a, fa), container.InitProfile(),
			transport.Options{Codecs: []codec.Codec{c}, Deadlines: d})
		if err != nil {
			t.Fatal(err)
		}
		q, err := transport.NewChild(transporttest.WithFaults(b, fb), container.InitProfile(),
			transport.Options{Deadlines: d})
		if err != nil {
			t.Fatal(err)
		}
		type ending struct {
			committed bool
			reported  error
		}
		done := make(chan ending, 1)
		go func() {
			committed, reported := childSide(q, fails)
			done <- ending{committed, reported}
		}()
		err = parentSide(p)
		child := <-done
		var f *transport.Failure
		success := err == io.EOF
		switch {
		case !success && (!errors.As(err, &f) || f.Outcome <= syncproto.Success || f.Error() == ""):
			t.Fatalf("no verdict: %v", err)
		case success && (!child.committed || p.Verdict().Outcome != syncproto.Success):
			t.Fatalf("success, and the child committed: %t, verdict %+v", child.committed, p.Verdict())
		case !fa.Lethal() && !fb.Lethal() && fails && !errors.Is(err, unix.ENOTDIR):
			t.Fatalf("the child's error is lost: %v", err)
		case !fa.Lethal() && !fb.Lethal() && !fails && !success:
			t.Fatalf("nothing went wrong that may not, and the end is %v", err)
		case child.reported != nil && !fb.Lethal() && !fa.CutFDs && !errors.Is(err, unix.ENOTDIR) &&
			f.Outcome < syncproto.Violated && f.Outcome != syncproto.TimedOut:
			t.Fatalf("the child's error left, and is lost: %v (%+v, %+v)", err, fa, fb)
		}
	})
}
