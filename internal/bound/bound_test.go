package bound_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/handfast/handfast/internal/bound"
)

// ended checks a context that has ended, whether or not Done was called before.
func ended(t *testing.T, ctx context.Context, want error) {
	t.Helper()
	for range 2 {
		if !errors.Is(ctx.Err(), want) || !errors.Is(context.Cause(ctx), want) {
			t.Errorf("error %v, cause %v; want %v", ctx.Err(), context.Cause(ctx), want)
		}
		<-ctx.Done()
	}
}

func TestWithin(t *testing.T) {
	for _, asked := range []bool{false, true} {
		within := func(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
			ctx, cancel := bound.Within(parent, d)
			if asked {
				ctx.Done()
			}
			return ctx, cancel
		}
		ctx, cancel := within(context.Background(), time.Hour)
		if at, ok := ctx.Deadline(); ctx.Err() != nil || context.Cause(ctx) != nil || !ok || time.Until(at) > time.Hour {
			t.Errorf("it has ended, or has no deadline: %v, %v", ctx.Err(), at)
		}
		inner, cancelInner := within(ctx, 2*time.Hour)
		if at, _ := inner.Deadline(); time.Until(at) > time.Hour {
			t.Errorf("the deadline is later than the parent's: %v", at)
		}
		cancel()
		ended(t, ctx, context.Canceled)
		ended(t, inner, context.Canceled)
		cancelInner()

		ctx, cancel = within(context.Background(), time.Nanosecond)
		time.Sleep(time.Millisecond)
		ended(t, ctx, context.DeadlineExceeded)
		cancel()
		ended(t, ctx, context.DeadlineExceeded)

		why := errors.New("why")
		parent, end := context.WithCancelCause(context.Background())
		ctx, cancel = within(parent, time.Hour)
		end(why)
		if !errors.Is(ctx.Err(), context.Canceled) || context.Cause(ctx) != why {
			t.Errorf("error %v, cause %v", ctx.Err(), context.Cause(ctx))
		}
		cancel()
	}
}
