package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/transport/transporttest"
)

// contender is one row of the table.
type contender struct {
	name   string
	socket transport.Type // of the connection
	memory bool           // instead of a socket
	extra  bool           // needs a second socket for the descriptor
	floor  string         // the contender that only moves the same bytes
	talker talker
	copies codec.Codec // a floor instead of a talker: the codec of the conversation that it copies
	pinned bool        // a floor: both sides stay on one CPU, which no other contender does
	lacks  string      // work of the others that this one does not do, for the report
}

// partner is the child's side of a contender. It waits for a connection, talks, and waits for the next one.
type partner interface {
	// begin passes the child its end and returns when it is about to talk. The partner takes the end.
	begin(e ends, closely bool) error
	// done waits until the child is done, and returns its error.
	done() error
	stop() error
}

// table connects a contender with its partner.
type table struct {
	contender
	setting setting
	partner partner
	native  *floor // instead of a partner
	work    work
	samples []float64 // microseconds per conversation, one for each round
}

type setting string

const (
	goroutines setting = "goroutines"
	processes  setting = "processes"
)

// talk has one conversation and returns how long it took: from when both sides have their ends until the parent has
// read the child's end of file and closed its own.
func (t *table) talk(closely bool) (time.Duration, error) {
	if t.native != nil {
		n := 1
		if closely {
			n = 0
		}
		us, err := t.native.talk(n)
		return time.Duration(us * 1e3), err
	}
	mine, theirs, err := t.connect()
	if err != nil {
		return 0, err
	}
	if err := t.partner.begin(theirs, closely); err != nil {
		return 0, t.failed(err)
	}
	t.work.closely = closely
	begin := time.Now()
	err = t.talker.parent(mine, &t.work)
	took := time.Since(begin)
	if mine.extra >= 0 {
		err = errors.Join(err, unix.Close(mine.extra))
	}
	if err := errors.Join(err, t.partner.done()); err != nil {
		return 0, t.failed(err)
	}
	return took, nil
}

func (t *table) stop() error {
	if t.native != nil {
		return t.native.stop()
	}
	return t.partner.stop()
}

func (t *table) failed(err error) error {
	return fmt.Errorf("%s between two %s: %w", t.name, t.setting, err)
}

func (t *table) connect() (mine, theirs ends, err error) {
	mine, theirs = ends{fd: -1, extra: -1}, ends{fd: -1, extra: -1}
	if t.memory {
		mine.conn, theirs.conn = transporttest.Memory(t.socket, 0)
		return mine, theirs, nil
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, int(t.socket)|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return mine, theirs, fmt.Errorf("socketpair: %w", err)
	}
	mine.fd, theirs.fd = pair[0], pair[1]
	if t.extra {
		pair, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return mine, theirs, fmt.Errorf("socketpair: %w", err)
		}
		mine.extra, theirs.extra = pair[0], pair[1]
	}
	return mine, theirs, nil
}

// round returns one sample: the mean of a few conversations, so that it includes the garbage collection that a
// contender causes.
func (t *table) round(conversations int) (microseconds float64, err error) {
	if t.native != nil {
		return t.native.talk(conversations)
	}
	var all time.Duration
	for range conversations {
		d, err := t.talk(false)
		if err != nil {
			return 0, err
		}
		all += d
	}
	return float64(all.Nanoseconds()) / 1e3 / float64(conversations), nil
}

// contest runs the rounds. In each round every contender has its turn. The order rotates by one place in each round, so
// that no contender always comes after the same one.
func contest(tables []*table, warmup, rounds, conversations int, stopped func() error) error {
	for round := range warmup + rounds {
		for i := range tables {
			if err := stopped(); err != nil {
				return err
			}
			t := tables[(i+round)%len(tables)]
			runtime.GC() // so that no contender collects the garbage of another
			took, err := t.round(conversations)
			if err != nil {
				return err
			}
			if round >= warmup {
				t.samples = append(t.samples, took)
			}
		}
	}
	return nil
}
