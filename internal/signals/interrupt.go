package signals

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Interrupt is a context that ends when somebody asks this process to end, by SIGINT, SIGTERM, SIGQUIT or SIGHUP. A
// signal that the process was started to ignore stays ignored. It needs no goroutine unless Done is asked for: who
// waits in ppoll(2) waits for WakeFD too, and asks Err.
type Interrupt struct {
	set Set
	fd  int

	mu        sync.Mutex
	err       error
	done      chan struct{}
	committed bool
}

var _ context.Context = (*Interrupt)(nil)

// Interruptible catches the signals, for as long as the process lives.
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

// Err says which signal has arrived; the error is context.Canceled to errors.Is.
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

// Done is for who cannot wait for WakeFD. The first call starts a goroutine that waits for the signal.
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

// Commit says that from now on the signals are not for what this context is of: it does not end any more, unless it
// has. Whoever else takes them waits for WakeFD and asks Take(Signals()).
func (i *Interrupt) Commit() {
	_ = i.Err()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.committed = true
}

// Signals are those that the context ends with.
func (i *Interrupt) Signals() Set { return i.set }

// WakeFD is an eventfd that is readable once a signal has arrived. It is borrowed.
func (i *Interrupt) WakeFD() int { return i.fd }

// Deadline is none.
func (i *Interrupt) Deadline() (at time.Time, ok bool) { return at, false }

// Value is nil.
func (i *Interrupt) Value(any) any { return nil }
