package signals

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Interrupt is a context that ends when SIGINT, SIGTERM, SIGQUIT or SIGHUP requests the end of this process. A signal
// that was ignored when the process started stays ignored. The context needs no goroutine unless Done is called: code
// that waits in ppoll(2) includes WakeFD and then checks Err.
type Interrupt struct {
	set Set
	fd  int

	mu        sync.Mutex
	err       error
	done      chan struct{}
	committed bool
}

var _ context.Context = (*Interrupt)(nil)

// Interruptible catches the signals for the rest of the process's life.
func Interruptible() (*Interrupt, error) {
	i := &Interrupt{set: SetOf(unix.SIGINT, unix.SIGTERM, unix.SIGQUIT)}
	if !Ignored(unix.SIGHUP) {
		i.set |= SetOf(unix.SIGHUP)
	}
	var err error
	if i.fd, err = NewEventfd(); err != nil {
		return nil, err
	}
	return i, Catch(i.set, i.fd)
}

// interrupted is the error of an Interrupt that has ended.
type interrupted struct{ sig unix.Signal }

func (e *interrupted) Error() string        { return "ended by signal: " + e.sig.String() }
func (e *interrupted) Is(target error) bool { return target == context.Canceled }

// Err says which signal has arrived; the error wraps context.Canceled.
func (i *Interrupt) Err() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err == nil && !i.committed {
		if sig, _ := Pending(i.set).Next(); sig != 0 {
			i.err = &interrupted{sig}
		}
	}
	return i.err
}

// Done is for code that cannot wait for WakeFD. The first call starts a goroutine that waits for the signal.
func (i *Interrupt) Done() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.done == nil {
		i.done = make(chan struct{})
		go i.watch(i.done)
	}
	return i.done
}

func (i *Interrupt) watch(done chan struct{}) {
	set := []unix.PollFd{{Fd: int32(i.fd), Events: unix.POLLIN}}
	for {
		_, _ = unix.Ppoll(set, nil, nil)
		if i.Err() != nil {
			close(done)
			return
		}
		i.mu.Lock()
		over := i.committed
		i.mu.Unlock()
		if over {
			return
		}
	}
}

// Commit keeps signals that arrive later from ending the context. Other code can then handle them: it waits for WakeFD
// and calls Take(Signals()).
func (i *Interrupt) Commit() {
	_ = i.Err()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.committed = true
}

// Signals returns the signals that end the context.
func (i *Interrupt) Signals() Set { return i.set }

// WakeFD is an eventfd that is readable once a signal has arrived. It is borrowed.
func (i *Interrupt) WakeFD() int { return i.fd }

// Deadline is none.
func (i *Interrupt) Deadline() (at time.Time, ok bool) { return at, false }

// Value is nil.
func (i *Interrupt) Value(any) any { return nil }
