package transport

import (
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// Options are what a Peer may be told; the zero value is usable.
type Options struct {
	Codecs    []codec.Codec        // in order of preference; the parent's default is MessagePack alone (CONFIG goes out at once), the child's MessagePack and JSON
	Limits    syncproto.Limits     // zero fields take the defaults
	Deadlines Deadlines            // zero fields take the defaults of the role
	Session   string               // an identifier for logs; the parent's goes to the child
	Trace     func(Event)          // told of every frame and of a parent's end, in order, one call at a time; it must not call the Peer; nil costs nothing
	Note      func(syncproto.Note) // told of every NOTE; it must not call the Peer either; nil drops them
}

// Deadlines bound what a Peer waits for. Zero is the role's default, negative is no limit. The parent's bound a child that may be dead, stopped or half dead;
// the child's are wide or none, for end of file tells it of its parent's death.
type Deadlines struct {
	Hello  time.Duration // the greeting; parent 5 s, child 60 s
	Config time.Duration // the configuration, to CONFIG_OK; parent 10 s, child 60 s
	Idle   time.Duration // the peer's next frame after that, a NOTE counts; parent 30 s, child none
	Exec   time.Duration // end of file after EXEC; parent 5 s
	Write  time.Duration // one frame to be taken by the kernel; both 10 s
	Grace  time.Duration // after a failure, for the peer to say why; parent 1 s
}

// DefaultDeadlines are those of zero Deadlines in a role; negative is no limit.
func DefaultDeadlines(r syncproto.Role) Deadlines {
	if r == syncproto.Child {
		return Deadlines{Hello: 60 * time.Second, Config: 60 * time.Second, Idle: -1, Exec: -1, Write: 10 * time.Second, Grace: -1}
	}
	return Deadlines{Hello: 5 * time.Second, Config: 10 * time.Second, Idle: 30 * time.Second, Exec: 5 * time.Second, Write: 10 * time.Second, Grace: time.Second}
}

func (d Deadlines) withDefaults(r syncproto.Role) Deadlines {
	def := DefaultDeadlines(r)
	for _, p := range [...]struct{ d, def *time.Duration }{
		{&d.Hello, &def.Hello}, {&d.Config, &def.Config}, {&d.Idle, &def.Idle}, {&d.Exec, &def.Exec}, {&d.Write, &def.Write}, {&d.Grace, &def.Grace},
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
	}
	return -1
}

// Event is one frame as it passed, or the end.
type Event struct {
	Sent   bool // by this side
	Header syncproto.Header
	Name   string          // the request's or reply's
	State  syncproto.State // of this side's machine, after the frame
	Phase  string          // of the profile, after the frame

	Payload []byte            // of the frame, valid during the call only
	Codec   string            // the payload's
	End     syncproto.Outcome // the conversation has ended so, and there is no frame; Undecided for a frame
	Err     error             // at the end: the Failure; nil for success
}

func (o Options) withDefaults(r syncproto.Role) Options {
	o.Deadlines = o.Deadlines.withDefaults(r)
	o.Limits = o.Limits.WithDefaults()
	if len(o.Codecs) == 0 {
		o.Codecs = []codec.Codec{codec.MessagePack()}
		if r == syncproto.Child {
			o.Codecs = append(o.Codecs, codec.JSON())
		}
	}
	return o
}

func (o Options) codecNames() []string {
	names := make([]string, len(o.Codecs))
	for i, c := range o.Codecs {
		names[i] = c.Name()
	}
	return names
}

func (o Options) codec(name string) codec.Codec {
	for _, c := range o.Codecs {
		if c.Name() == name {
			return c
		}
	}
	return nil
}
