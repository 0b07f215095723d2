package transport

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/remote"
)

// finish ends the conversation for a reason that reading or waiting gave, and returns what ended it.
func (p *Peer) finish(ctx context.Context, err error, w syncproto.Wait) error {
	gone := errors.Is(err, os.ErrDeadlineExceeded) && p.hasExited()
	torn := errors.Is(err, io.ErrUnexpectedEOF)
	switch {
	case isEnd(err) || gone || torn:
		p.mu.Lock()
		v := p.m.Verdict()
		if isEnd(err) {
			v = p.m.EndOfFile()
		} else {
			p.m.Fail(syncproto.Died)
			v = p.m.Verdict()
		}
		p.mu.Unlock()
		if v.Outcome == syncproto.Success {
			p.end = io.EOF
			p.traceEnd()
			return p.end
		}
		f := &Failure{Verdict: v, Role: p.m.Role(), Wait: w, Waited: time.Since(p.began)}
		if torn {
			f.Err = io.ErrUnexpectedEOF
		}
		p.end = f
		p.traceEnd()
		return p.end
	case errors.Is(err, os.ErrDeadlineExceeded):
		f := p.fail(ctx, syncproto.TimedOut, nil)
		var failure *Failure
		if errors.As(f, &failure) {
			failure.Wait, failure.Waited = w, p.opts.Deadlines.of(w)
		}
		return f
	}
	return p.fail(ctx, outcomeOf(ctx, err), err)
}

func (p *Peer) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// fail ends the conversation: the peer is told if it can be, then a parent listens a moment longer, for what the child says now is often the true cause.
func (p *Peer) fail(ctx context.Context, o syncproto.Outcome, cause error) error {
	if p.end != nil {
		return p.end
	}
	p.tell(o, cause)
	return p.failTold(o, cause)
}

// failTold is fail for a peer that has been told already.
func (p *Peer) failTold(o syncproto.Outcome, cause error) error {
	p.mu.Lock()
	p.m.Fail(o)
	f := &Failure{Verdict: p.m.Verdict(), Role: p.m.Role(), Err: cause}
	p.mu.Unlock()
	// The machine may know of an ERROR already that still waits in the inbox: drain finds it, with its words.
	f.Outcome = o
	p.end = f
	if p.inbox != nil {
		p.drain(f)
	}
	p.traceEnd()
	return f
}

// tell sends the peer an ERROR or a CANCEL, as far as the state allows it. It does not wait long and does not mind failing: the conversation is over.
func (p *Peer) tell(o syncproto.Outcome, cause error) {
	short, stop := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer stop()
	if cause == nil {
		cause = context.DeadlineExceeded
	}
	switch {
	case p.m.Role() == syncproto.Child && o != syncproto.Broken:
		_ = p.report(short, cause, false) // CANCEL is the parent's word
	case o == syncproto.TimedOut, o == syncproto.Cancelled:
		reason := cause.Error()
		if o == syncproto.TimedOut {
			reason = "a deadline passed"
		}
		if body, err := syncproto.ToValue(syncproto.Cancel{Reason: reason}); err == nil {
			_ = p.send(short, syncproto.Frame{Kind: syncproto.KindCancel}, body, nil)
		}
	case o == syncproto.Violated, o == syncproto.LocalError:
		_ = p.report(short, cause, false)
	}
}

// report sends ERROR: as the answer to the pending request, or as the end.
func (p *Peer) report(ctx context.Context, err error, answer bool) error {
	p.mu.Lock()
	v, most := p.m.Verdict(), p.m.Limits().Error
	p.mu.Unlock()
	r := remote.Report(err, codeOf(err))
	r.Role, r.State, r.Phase, r.Request = p.m.Role().String(), v.State.String(), v.Phase, v.Request
	body, e := syncproto.ToValue(r.Fit(most))
	if e != nil {
		return e
	}
	return p.send(ctx, syncproto.Frame{Kind: syncproto.KindError, Fail: answer}, body, nil)
}

// codeOf is the class of an error: its own word for it, or the protocol's.
func codeOf(err error) syncproto.Code {
	var own interface{ SyncCode() syncproto.Code }
	if errors.As(err, &own) {
		return own.SyncCode()
	}
	var p *syncproto.ProtocolError
	if errors.As(err, &p) {
		return p.Code
	}
	return syncproto.CodeInternal
}

// drain reads on until end of file or the grace is over. An error that the child reports now outranks what this side saw of its end, but not this side's own decision:
// a child that was told to stop says no more than that it did.
func (p *Peer) drain(f *Failure) {
	if !p.reading.Load() {
		return
	}
	grace := time.NewTimer(max(p.opts.Deadlines.Grace, time.Millisecond)) // what is in the inbox is looked at in any case
	defer grace.Stop()
	exited := p.exited
	for {
		select {
		case in, open := <-p.inbox:
			CloseAll(in.fds)
			if !open || in.err != nil {
				return
			}
			switch {
			case in.kind == syncproto.KindError && in.re == 0:
				p.outrank(f, remoteError(in.body))
			case in.kind == syncproto.KindError: // a request was refused: no end of its own
				f.Also = append(f.Also, remoteError(in.body))
			}
		case <-exited:
			exited = nil
			_ = p.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		case <-grace.C:
			return
		}
	}
}

func (p *Peer) outrank(f *Failure, report error) {
	var r *remote.Error
	echo := errors.As(report, &r) && r.Report.Code == syncproto.CodeCancelled
	if echo || f.Outcome >= syncproto.Violated {
		f.Also = append(f.Also, report)
		return
	}
	p.mu.Lock()
	p.m.Fail(syncproto.PeerError)
	f.Verdict = p.m.Verdict()
	p.mu.Unlock()
	if f.Err != nil {
		f.Also = append(f.Also, f.Err)
	}
	f.Err = report
}
