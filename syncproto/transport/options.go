package transport

import (
	"os"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// Options are what a Parent or Child may be told; the zero value is usable.
type Options struct {
	// Codecs are offered, or accepted, in order of preference. Empty: a parent offers MessagePack alone, so that CONFIG
	// goes out at once; a child accepts MessagePack and JSON.
	Codecs []codec.Codec
	// Limits bound what the peer may send; zero fields take the defaults.
	Limits syncproto.Limits
	// Deadlines bound what is waited for; zero fields take the defaults of the role.
	Deadlines Deadlines
	// Session is an identifier for logs; the parent's goes to the child.
	Session string
	// Process is the child's pidfd, for a parent: once the process is gone, what it had said is read and the
	// conversation is over, also where somebody else holds a copy of its socket open. It is borrowed until Close. Nil:
	// the caller says so with Exited. A Link that is no Watcher cannot have one.
	Process *os.File
	// Trace is told of every frame and of the end, in order, one call at a time, by the call that moved the frame. It
	// must not call the Parent or Child, but for Close. Nil costs nothing.
	Trace func(Event)
	// Note is told of every NOTE, in the same way; nil drops them.
	Note func(syncproto.Note)
}

// The codecs of a zero Options, by role.
var (
	offered  = [...]codec.Codec{codec.MessagePack()}
	accepted = [...]codec.Codec{codec.MessagePack(), codec.JSON()}
)

// Deadlines bound what is waited for. Zero is the role's default, negative is no limit. The parent's bound a child that
// may be dead, stopped or half dead; the child's are wide or none, for end of file tells it of its parent's death.
// Each runs from the beginning of its wait to its end, whatever passes meanwhile; Idle alone begins anew with each
// frame. The time that the caller takes between two calls, or a callback in one, is not the peer's.
type Deadlines struct {
	Hello  time.Duration // the greeting; parent 5 s, child 60 s
	Config time.Duration // the configuration, to CONFIG_OK, its writing included; parent 10 s, child 60 s
	Idle   time.Duration // the peer's next frame after that, a NOTE counts; parent 30 s, child none
	Exec   time.Duration // end of file after EXEC; parent 5 s
	Write  time.Duration // one frame to be taken by the kernel; both 10 s
	Grace  time.Duration // after a failure, for the peer to say why; parent 1 s
	Total  time.Duration // the whole conversation, from its first call on; both none
}

// wordTime is how long a last word may wait for room.
const wordTime = 100 * time.Millisecond

// DefaultDeadlines are those of zero Deadlines in a role; negative is no limit.
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

// of is the deadline that runs during a wait; zero or less is none.
func (d Deadlines) of(w syncproto.Wait) time.Duration {
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
		return wordTime
	case syncproto.WaitGrace:
		return max(d.Grace, time.Millisecond)
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
