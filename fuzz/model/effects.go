package model

import "github.com/handfast/handfast/syncproto"

// send is r saying f; ok is false where it may not, or where it would have to wait.
func (w world) send(r syncproto.Role, f syncproto.Frame, room uint8) (world, bool) {
	h, err := w.m[r].Send(f)
	to := r.Peer()
	if err != nil || w.shut[r] {
		return w, false
	}
	if !w.fate[to].open() {
		w.m[r].Fail(syncproto.Broken) // EPIPE: what the peer said before is still to be read
		w.fate[r] = over
		return w, true
	}
	if w.queued[to] == room {
		return w, false
	}
	w.queue[to][w.queued[to]] = message{h: h, name: f.Name, echo: f.Kind == syncproto.KindError && r == child && w.m[child].Cancelled()}
	w.queued[to]++
	w.flying += int8(h.NFDs)
	return w, true
}

// report is r saying ERROR as its last word, or giving that up: a parent does not wait long for room, and to a peer that is gone there is nothing to say. ok is false where a
// child waits for room.
func (w world) report(r syncproto.Role, room uint8) (next world, ok bool) {
	to := r.Peer()
	next, ok = w.send(r, syncproto.Frame{Kind: syncproto.KindError}, room)
	switch {
	case ok && next.fate[r] == running:
		next.told[r] = true
		next.fate[r] = over
	case !ok && r == child && w.queued[to] == room && w.fate[to].acts():
		return w, false
	case !ok:
		next = w
		next.m[r].Fail(syncproto.LocalError)
		next.fate[r] = over
	default:
		next.m[r].Fail(syncproto.LocalError)
	}
	if r == child {
		next = next.close(child, ended)
	}
	return next, true
}

// close is the end of r's end: what was on its way to it is gone, and the kernel closes the descriptors among it.
func (w world) close(r syncproto.Role, f fate) world {
	w = w.settle(r, f)
	for i := range w.queued[r] {
		w.flying -= int8(w.queue[r][i].h.NFDs)
	}
	w.queue[r], w.queued[r] = [capacity]message{}, 0
	if w.torn[r] {
		w.torn[r] = false
		w.flying--
	}
	return w
}

// settle is r doing nothing more.
func (w world) settle(r syncproto.Role, f fate) world {
	w.verdict[r] = w.last(r)
	w.fate[r], w.m[r], w.cause[r] = f, syncproto.Machine{}, w.cause[r] && f == ended
	return w
}

// reads reports whether r looks at what comes: a parent always, a child only where it waits for something.
func (w *world) reads(r syncproto.Role) bool {
	if r == parent {
		return true
	}
	wait := w.m[child].Waiting()
	return w.fate[child] == running && !w.cause[child] && w.m[child].State() != syncproto.Committed && wait != syncproto.WaitSelf
}

// receive is r reading: a frame, a piece of one, or end of file.
func (k *rules) receive(w world, r syncproto.Role) (next world, name string, ok bool) {
	if w.queued[r] == 0 {
		return w.receiveEnd(r)
	}
	in := w.queue[r][0]
	copy(w.queue[r][:], w.queue[r][1:])
	w.queued[r]--
	w.queue[r][w.queued[r]] = message{}
	w.flying -= int8(in.h.NFDs)
	name = "receives " + label(in.h.Kind, in.name)
	failed := w.m[r].State() == syncproto.Failed
	if call := in.h.Kind == syncproto.KindRequest || in.h.Kind == syncproto.KindReply || in.h.Kind == syncproto.KindExec; call && !failed {
		if w.wrong = k.arrives(&w, r, in); w.wrong != "" {
			return w, name, true
		}
	}
	err := w.m[r].Admit(in.h)
	if err == nil {
		err = w.m[r].Receive(in.h, in.name)
	}
	if err != nil {
		w.wrong = "two honest peers broke the protocol: " + err.Error()
		return w, name, true
	}
	switch {
	case in.h.Kind == syncproto.KindError && in.h.Re != 0 && !failed:
		w.asks = false
	case in.h.Kind == syncproto.KindCancel && r == child:
		w.cause[child] = true
	case in.h.Kind == syncproto.KindHello && k.profile[parent].Hash() != k.profile[child].Hash():
		w.cause[child], w.hurt = true, true
	case in.h.Kind == syncproto.KindError && in.h.Re == 0 && failed && !in.echo && w.m[r].Verdict().Outcome < syncproto.Violated:
		w.m[r].Fail(syncproto.PeerError) // what the peer says now is the cause of what was seen before
	}
	if w.m[r].State() == syncproto.Failed {
		w.fate[r] = over
		if r == child {
			w = w.close(child, ended)
		}
	}
	return w, name, true
}

// receiveEnd is what r reads where no frame is queued.
func (w world) receiveEnd(r syncproto.Role) (next world, name string, ok bool) {
	peer := r.Peer()
	switch {
	case w.eof[r], w.cause[r] && w.fate[r] == running: // the failure is told first
		return w, "", false
	case w.torn[r]:
		w.m[r].Fail(syncproto.Died)
		w.eof[r] = true
		return w.close(r, ended), "finds a frame cut short", true
	case w.fate[peer].open() && !w.shut[peer]:
		return w, "", false
	}
	w.m[r].EndOfFile()
	w.eof[r] = true
	return w.close(r, ended), "finds end of file", true
}

// decide is the parent ending the conversation without a word of the child: a deadline, or its caller's wish. It says CANCEL if there is room.
func (w world) decide(why syncproto.Outcome, room uint8) world {
	if next, ok := w.send(parent, syncproto.Frame{Kind: syncproto.KindCancel}, room); ok {
		w = next
	}
	w.m[parent].Fail(why)
	w.fate[parent], w.hurt = over, true
	return w
}
