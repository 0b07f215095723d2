// Package bound limits waits that rarely happen. A context with a deadline from package context starts a timer at
// once, and the first timer of a process starts the poller of the Go runtime and wakes a thread. That is wasted in
// a command that finds its lock free and its cgroup empty.
package bound

import (
	"context"
	"sync"
	"time"
)

// Within is context.WithTimeout, except that it starts no timer until Done is called.
func Within(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	at := time.Now().Add(d)
	if earlier, ok := parent.Deadline(); ok && earlier.Before(at) {
		at = earlier
	}
	c := &within{parent: parent, at: at}
	return c, c.cancel
}

// within is a context that ends with its parent, at its deadline, or when it is cancelled.
type within struct {
	parent context.Context
	at     time.Time

	mu    sync.Mutex
	err   error
	timed context.Context // set once Done was called
	stop  context.CancelFunc
}

func (c *within) Deadline() (time.Time, bool) { return c.at, true }

func (c *within) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.stop = context.WithDeadline(c.parent, c.at)
		if c.err != nil {
			c.stop()
		}
	}
	return c.timed.Done()
}

// Err never changes its result once it is not nil.
func (c *within) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
	case c.timed != nil:
		c.err = c.timed.Err()
	case c.parent.Err() != nil:
		c.err = c.parent.Err()
	case !time.Now().Before(c.at):
		c.err = context.DeadlineExceeded
	}
	return c.err
}

// Value returns the value of the parent or of the context behind Done, in which context.Cause finds the cause.
func (c *within) Value(key any) any {
	c.mu.Lock()
	timed := c.timed
	c.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return c.parent.Value(key)
}

func (c *within) cancel() {
	_ = c.Err() // keep the first error
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = context.Canceled
	}
	if c.stop != nil {
		c.stop()
	}
}
