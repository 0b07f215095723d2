package transport

import (
	"os"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// Options configure a Parent or a Child. The zero value is usable.
type Options struct {
	// Codecs are offered, or accepted, in order of preference. If empty, a parent offers only MessagePack, so that it can
	// send CONFIG at once, and a child accepts MessagePack and JSON.
	Codecs []codec.Codec
	// Limits bound what the peer may send; zero fields mean the defaults.
	Limits syncproto.Limits
	// Deadlines bound how long this side waits; zero fields mean the defaults of the role.
	Deadlines Deadlines
	// Session is an identifier for logs; the parent's is sent to the child.
	Session string
	// Process is the child's pidfd, for a parent. Once the process has ended, what it had sent is read and the
	// conversation is over, even if another process holds a copy of its socket open. It is borrowed until Close. If it is
	// nil, the caller reports the end of the process with Exited. It requires a Link that is a Watcher.
	Process *os.File
	// Trace is called for every frame and for the end, in order and one at a time, during the call that moved the frame.
	// It must not call methods of the Parent or Child other than Close. Nil costs nothing.
	Trace func(Event)
	// Note is called for every NOTE in the same way; if nil, they are dropped. Its text is as the child sent it:
	// remote.OneLine makes it fit for a terminal or a line of a log.
	Note func(syncproto.Note)
}

// The codecs of a zero Options, by role.
var (
	offered  = [...]codec.Codec{codec.MessagePack()}
	accepted = [...]codec.Codec{codec.MessagePack(), codec.JSON()}
)

// Deadlines bound how long a side waits. Zero is the role's default, negative is no limit. The parent's protect it from
// a child that is dead, stopped or half dead. The child's are long or absent, because end of file tells it that its
// parent has died. Each runs from the beginning of its wait to its end, whatever arrives meanwhile; only Idle starts
// again with each frame. Time that the caller spends between two calls, or in a callback, does not count.
type Deadlines struct {
	Hello  time.Duration // the greeting; parent 5 s, child 60 s
	Config time.Duration // the configuration up to CONFIG_OK, including the time to send it; parent 10 s, child 60 s
	Idle   time.Duration // each further frame of the peer, including NOTE; parent 30 s, child none
	Exec   time.Duration // end of file after EXEC; parent 5 s
	Write  time.Duration // until the kernel has accepted one frame; both 10 s
	Grace  time.Duration // after a failure, for the peer to report why; parent 1 s
	Total  time.Duration // the whole conversation, from the first call on; both none
}

// lastWordTimeout is how long the final ERROR or CANCEL may wait for room.
const lastWordTimeout = 100 * time.Millisecond

// DefaultDeadlines returns the deadlines that zero Deadlines stand for in a role; negative means no limit.
func DefaultDeadlines(r syncproto.Role) Deadlines {
	if r == syncproto.Child {
		return Deadlines{
			Hello: 60 * time.Second, Config: 60 * time.Second, Idle: -1, Exec: -1,
			Write: 10 * time.Second, Grace: -1, Total: -1,
		}
	}
	return Deadlines{
		Hello: 5 * time.Second, Config: 10 * time.Second, Idle: 30 * time.Second, Exec: 5 * time.Second,
		Write: 10 * time.Second, Grace: time.Second, Total: -1,
	}
}

func (d Deadlines) withDefaults(r syncproto.Role) Deadlines {
	def := DefaultDeadlines(r)
	for _, p := range [...]struct{ d, def *time.Duration }{
		{&d.Hello, &def.Hello}, {&d.Config, &def.Config}, {&d.Idle, &def.Idle}, {&d.Exec, &def.Exec},
		{&d.Write, &def.Write}, {&d.Grace, &def.Grace}, {&d.Total, &def.Total},
	} {
		if *p.d == 0 {
			*p.d = *p.def
		}
	}
	return d
}

// forWait returns the deadline that applies to a wait; zero or less means none.
func (d Deadlines) forWait(w syncproto.Wait) time.Duration {
	switch w {
	case syncproto.WaitHello:
		return d.Hello
	case syncproto.WaitConfig:
		return d.Config
	case syncproto.WaitPeer:
		return d.Idle
	case syncproto.WaitEnd:
		return d.Exec
	case syncproto.WaitTold:
		return lastWordTimeout
	case syncproto.WaitGrace:
		return d.Grace
	}
	return -1
}

func (o Options) withDefaults(r syncproto.Role) Options {
	o.Deadlines = o.Deadlines.withDefaults(r)
	o.Limits = o.Limits.WithDefaults()
	if len(o.Codecs) == 0 {
		o.Codecs = offered[:]
		if r == syncproto.Child {
			o.Codecs = accepted[:]
		}
	}
	return o
}
