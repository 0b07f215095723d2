package signals_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/signals"
)

func raise(t *testing.T, sig unix.Signal) {
	t.Helper()
	if err := unix.Kill(unix.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
}

// taken waits for signals of the set until all have arrived.
func taken(t *testing.T, set signals.Set, fd int) {
	t.Helper()
	for missing := set; ; {
		if missing &^= signals.Take(set); missing == 0 {
			return
		}
		if err := signals.Wait(1, fd); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSets(t *testing.T) {
	s := signals.SetOf(unix.SIGHUP, 64, 34, 0, 65, -1)
	var got []unix.Signal
	for rest := s; rest != 0; {
		var sig unix.Signal
		sig, rest = rest.Next()
		got = append(got, sig)
	}
	if len(got) != 3 || got[0] != unix.SIGHUP || got[1] != 34 || got[2] != 64 || !s.Has(34) || s.Has(35) || s.Has(0) {
		t.Errorf("%v of %b", got, s)
	}
}

// Every signal that can be caught arrives, told by its descriptor; one that is not taken stays.
func TestCatch(t *testing.T) {
	fd, err := signals.NewEventfd()
	if err != nil {
		t.Fatal(err)
	}
	all := signals.SetOf(unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.SIGCHLD, unix.SIGALRM, 35, 63, 64)
	if err := signals.Catch(all, fd); err != nil {
		t.Fatal(err)
	}
	for rest := all; rest != 0; {
		var sig unix.Signal
		sig, rest = rest.Next()
		raise(t, sig)
	}
	taken(t, all, fd)
	raise(t, 35)
	for signals.Pending(all) == 0 {
		if err := signals.Wait(1, fd); err != nil {
			t.Fatal(err)
		}
	}
	if signals.Take(signals.SetOf(36)) != 0 || signals.Take(all) != signals.SetOf(35) || signals.Pending(all) != 0 {
		t.Error("a signal is taken by who does not ask for it, or is not taken")
	}
}

// The handler runs on any thread, while the collector and the scheduler are at work.
func TestCatchUnderLoad(t *testing.T) {
	fd, err := signals.NewEventfd()
	if err != nil {
		t.Fatal(err)
	}
	set := signals.SetOf(40, 41)
	if err := signals.Catch(set, fd); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			var keep [][]byte
			for {
				select {
				case <-stop:
					return
				default:
					if keep = append(keep, make([]byte, 4096)); len(keep) > 500 {
						keep = nil
						runtime.GC()
					}
				}
			}
		})
	}
	for range 300 {
		raise(t, 40)
		raise(t, 41)
		taken(t, set, fd)
	}
	close(stop)
	busy.Wait()
}

func TestInterrupt(t *testing.T) {
	i, err := signals.Interruptible()
	if err != nil {
		t.Fatal(err)
	}
	if i.Err() != nil || context.Cause(i) != nil || !i.Signals().Has(unix.SIGTERM) {
		t.Fatal("it has ended before it began")
	}
	early, cancel := context.WithTimeout(i, time.Hour) // asks for Done
	defer cancel()
	raise(t, unix.SIGTERM)
	<-early.Done()
	for _, err := range []error{i.Err(), context.Cause(i), early.Err(), context.Cause(early)} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
	}
	if got, want := i.Err().Error(), "ended by signal: terminated"; got != want {
		t.Errorf("the cause is %q, want %q", got, want)
	}
	<-i.Done()
	if signals.Take(i.Signals()) != signals.SetOf(unix.SIGTERM) {
		t.Error("the signal is not there for who takes it")
	}
	if i.Commit(); i.Err() == nil {
		t.Error("a context that had ended lives again")
	}
	next, err := signals.Interruptible()
	if err != nil {
		t.Fatal(err)
	}
	next.Commit()
	raise(t, unix.SIGINT)
	taken(t, signals.SetOf(unix.SIGINT), next.WakeFD())
	if next.Err() != nil {
		t.Error("a signal after Commit ends the context")
	}
}
