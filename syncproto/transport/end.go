package transport

import (
	"errors"
	"io"
	"time"

	"github.com/handfast/handfast/syncproto"
)

// cause is one reason for the end.
type cause struct {
	outcome syncproto.Outcome
	err     error
}

// lateness describes a wait whose deadline passed.
type lateness struct {
	wait  syncproto.Wait
	after time.Duration
	write bool
}

// addCause records one reason for the end; the Session's verdict decides later which one counts.
func (d *driver) addCause(o syncproto.Outcome, err error) {
	if err != nil {
		d.causes = append(d.causes, cause{o, printable(err)})
	}
}

// errPanics stands for an error that cannot be used.
var errPanics = errors.New("an error whose text cannot be had: its Error method panics")

// printable returns err, or errPanics if its method Error panics: a typed nil is an error too, and so may be what a
// caller passes to Abort, what ended a context, and what a Link returns.
func printable(err error) (usable error) {
	defer func() {
		if recover() != nil {
			usable = errPanics
		}
	}()
	_ = err.Error()
	return err
}

// endError returns the error that the conversation ended with: io.EOF or a *Failure. It is determined once.
func (d *driver) endError() error {
	if d.end != nil {
		return d.end
	}
	d.dropInbox()
	if v := d.s.Verdict(); v.Outcome == syncproto.Success {
		d.end = io.EOF
	} else {
		d.end = d.failure(v)
	}
	d.unwatch()
	d.traceEnd()
	return d.end
}

// failure orders the causes: first the one that decided the verdict.
func (d *driver) failure(v syncproto.Verdict) *Failure {
	f := &Failure{Verdict: v, Role: d.s.Role()}
	for _, c := range d.causes {
		if f.Err == nil && c.outcome == v.Outcome {
			f.Err = c.err
		} else {
			f.Also = append(f.Also, c.err)
		}
	}
	switch v.Outcome {
	case syncproto.TimedOut:
		f.Wait, f.Waited = d.lateness.wait, d.lateness.after
		f.write = d.lateness.write
	case syncproto.Died:
		if f.Err == nil && len(f.Also) > 0 {
			f.Err, f.Also = f.Also[0], f.Also[1:] // a write that failed because of the end
		}
		if !d.timerStart.IsZero() && d.timer.Wait != syncproto.WaitGrace {
			f.Wait, f.Waited = d.timer.Wait, time.Since(d.timerStart)
		}
	}
	return f
}

func (d *driver) dropInbox() {
	for _, a := range d.inbox {
		discard(a.fds)
	}
	d.inbox = nil
}
