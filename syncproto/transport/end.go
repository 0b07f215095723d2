package transport

import (
	"io"
	"time"

	"github.com/handfast/handfast/syncproto"
)

// cause is one reason for the end.
type cause struct {
	outcome syncproto.Outcome
	err     error
}

// lateness is what was waited for in vain.
type lateness struct {
	wait  syncproto.Wait
	after time.Duration
	write bool
}

// blame keeps one reason for the end, of which the Session's verdict says later which counts.
func (d *driver) blame(o syncproto.Outcome, err error) {
	if err != nil {
		d.causes = append(d.causes, cause{o, err})
	}
}

// over is the end, which is known once.
func (d *driver) over() error {
	if d.end != nil {
		return d.end
	}
	d.dropBox()
	if v := d.s.Verdict(); v.Outcome == syncproto.Success {
		d.end = io.EOF
	} else {
		d.end = d.failure(v)
	}
	d.unwatch()
	d.traceEnd()
	return d.end
}

// failure puts the causes in order: first those of the verdict's rank.
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
		f.Wait, f.Waited = d.late.wait, d.late.after
		f.write = d.late.write
	case syncproto.Died:
		if f.Err == nil && len(f.Also) > 0 {
			f.Err, f.Also = f.Also[0], f.Also[1:] // a write that met the end
		}
		if !d.began.IsZero() && d.timer.Wait != syncproto.WaitGrace {
			f.Wait, f.Waited = d.timer.Wait, time.Since(d.began)
		}
	}
	return f
}

func (d *driver) dropBox() {
	for _, a := range d.box {
		discard(a.fds)
	}
	d.box = nil
}
