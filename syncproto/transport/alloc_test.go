//go:build !race

// The race detector allocates by itself.

package transport_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/remote"
	"github.com/handfast/handfast/syncproto/transport"
)

// A request and its reply, sent and received on both sides, take no memory once the conversation runs.
func TestControlMessagesTakeNoMemory(t *testing.T) {
	for _, l := range links {
		if !l.kernel {
			continue // a memory link keeps what it is sent
		}
		t.Run(l.name, func(t *testing.T) {
			call := ticking(t, l, 2000)
			var err error
			if n := testing.AllocsPerRun(500, func() {
				if e := call(); e != nil {
					err = e
				}
			}); n != 0 || err != nil {
				t.Errorf("%v allocations for a request and its reply, %v", n, err)
			}
		})
	}
}

// A child without memory can still report that: its last word needs none.
func TestTheLastWordTakesNoMemory(t *testing.T) {
	for _, l := range links {
		t.Run(l.name, func(t *testing.T) {
			n := lastWord(t, l)
			// The parent may be at work at the same time; what the word itself takes, it takes each time.
			for again := 0; n > 0 && l.kernel && again < 10; again++ {
				n = min(n, lastWord(t, l))
			}
			if n > 0 && l.kernel {
				t.Errorf("it takes memory %v times", n)
			}
		})
	}
}

// lastWord returns the number of allocations in Gasp.
func lastWord(t *testing.T, l link) float64 {
	t.Helper()
	a, b := l.make(t)
	p, err := transport.NewParent(a, chatter(), transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := transport.NewChild(b, chatter(), transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	taken := make(chan float64, 1)
	go func() {
		if err := open(t.Context(), c); err != nil {
			t.Error(err)
		}
		var err error
		said := false
		taken <- testing.AllocsPerRun(1, func() { // which runs it once before it counts
			if !said {
				said = true
				return
			}
			err = c.Gasp()
		})
		if err != nil {
			t.Error(err)
		}
		_ = c.Close()
	}()
	err = p.Open(t.Context(), syncproto.Value{}, nil)
	if err == nil {
		_, err = p.Next(t.Context())
	}
	if !errors.Is(err, syscall.ENOMEM) || !remote.IsRemote(err) {
		t.Errorf("the parent hears %v", err)
	}
	_ = p.Close()
	return <-taken
}
