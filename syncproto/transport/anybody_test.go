package transport_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// Several goroutines call whatever they like, in any order, on both sides of a conversation. Every call returns, each
// side comes to one outcome that no later call changes, and no descriptor stays open. The race detector has the rest.
func TestAnyGoroutineMayCallAnything(t *testing.T) {
	const rounds, workers, calls = 60, 3, 12
	d := shortDeadlines
	for round := range rounds {
		l := eachLink[round%len(eachLink)]
		a, b := l.make(t)
		p := newParent(t, a, transport.Options{Deadlines: d, Note: func(syncproto.Note) {}, Trace: func(transport.Event) {}})
		c, err := transport.NewChild(b, container.InitProfile(), transport.Options{Deadlines: d})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for worker := range workers {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(round), uint64(worker)))
				for range calls {
					ctx, cancel := sometimes(t.Context(), random)
					callParent(ctx, p, random, worker == 0)
					cancel()
				}
			})
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(round), uint64(worker+workers)))
				for range calls {
					ctx, cancel := sometimes(t.Context(), random)
					callChild(ctx, c, random)
					cancel()
				}
			})
		}
		wg.Wait()
		_, _ = p.Close(), c.Close()
		for _, side := range []transport.Peer{p, c} {
			before := side.Verdict()
			if _, err := side.Next(t.Context()); err == nil || before.Outcome == syncproto.Undecided {
				t.Errorf("round %d over %s: %+v, and then %v", round, l.name, before, err)
			}
			if after := side.Verdict(); after != before {
				t.Errorf("round %d over %s: the verdict %+v became %+v", round, l.name, before, after)
			}
		}
	}
}

// sometimes returns a context that ends soon in one of three cases.
func sometimes(ctx context.Context, r *rand.Rand) (context.Context, context.CancelFunc) {
	if r.IntN(3) > 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Duration(r.IntN(30)+1)*time.Millisecond)
}

// callParent calls one method. A Request is valid until the next call of Next, so only one goroutine makes those.
func callParent(ctx context.Context, p *transport.Parent, r *rand.Rand, next bool) {
	switch n := r.IntN(40); {
	case n < 8:
		_ = p.Open(ctx, syncproto.MapValue(), []int{0})
	case n < 18 && next:
		if req, err := p.Next(ctx); err == nil {
			transport.CloseAll(req.FDs)
		}
	case n < 28:
		_ = p.Reply(ctx, syncproto.Value{})
	case n < 32:
		_ = p.Decline(ctx, unix.EIO)
	case n < 37:
		_ = p.Verdict()
	case n == 37:
		_ = p.Abort(ctx, unix.ENOSPC)
	case n == 38:
		p.Exited()
	default:
		_ = p.Close()
	}
}

func callChild(ctx context.Context, c *transport.Child, r *rand.Rand) {
	switch n := r.IntN(40); {
	case n < 8:
		_ = open(ctx, c)
	case n < 12:
		_ = c.Confirm(ctx)
	case n < 18:
		_, fds, _ := c.Call(ctx, "ready", syncproto.Value{})
		transport.CloseAll(fds)
	case n < 24:
		_, fds, _ := c.Call(ctx, "console", syncproto.Value{}, 0)
		transport.CloseAll(fds)
	case n < 30:
		_ = c.Note(ctx, "info", "x")
	case n < 34:
		_ = c.Exec(ctx)
	case n < 38:
		_ = c.Verdict()
	case n == 38:
		_ = c.Fail(ctx, unix.EDQUOT)
	default:
		_ = c.Close()
	}
}
