package model

import (
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/session"
)

// tell gives an input to r's Session and then does what its driver does.
func (k *walk) tell(w world, r syncproto.Role, in input) world {
	before := w.s[r]
	out := k.apply(before, in)
	w.s[r] = out.to
	k.checkChange(&w, r, before, in.op)
	return k.settle(w, r)
}

// end gives r's Session an input that ends the conversation; only the first reason counts.
func (k *walk) end(w world, r syncproto.Role, o op, why reason) world {
	if k.sides[w.s[r]].live {
		w.why[r] = why
	}
	return k.tell(w, r, input{op: o})
}

// settle does what a driver does after every call: the last word replaces a frame of the caller's, a frame that is due
// is made, and a Session that is over is left alone.
func (k *walk) settle(w world, r syncproto.Role) world {
	for {
		s := &k.sides[w.s[r]]
		switch {
		case w.out[r] != 0 && !s.live && !s.saying:
			w.out[r] = 0
			w.s[r] = k.apply(w.s[r], input{op: opWriteFailed}).to
		case w.out[r] == 0 && s.live && w.is[r]&obeys != 0:
			w.is[r] &^= obeys
			w.is[r] |= failing
			w.why[r] = byObeying
			w.s[r] = k.apply(w.s[r], input{op: opObey}).to
		case w.out[r] == 0 && s.due:
			k.sendDue(&w, r)
		case s.over:
			return k.leave(w, r, done)
		default:
			return w
		}
		if w.wrong != 0 {
			return w
		}
	}
}

// sendDue makes the frame that is due.
func (k *walk) sendDue(w *world, r syncproto.Role) {
	live := k.sides[w.s[r]].live
	out := k.apply(w.s[r], input{op: opSay})
	if w.s[r] = out.to; out.err != "" {
		if k.sides[out.to].due {
			w.wrong = k.lawNumber("what is due cannot be sent: " + out.err)
		}
		return
	}
	w.out[r] = out.frame
	if !live {
		w.wrong = k.checkLastWord(w, r, &k.frames[out.frame])
	}
}

// leave makes r do nothing more.
func (k *walk) leave(w world, r syncproto.Role, f fate) world {
	if w.s[r] != 0 {
		w.last[r] = k.sides[w.s[r]].last
		w.s[r] = 0
	}
	w.fate[r], w.out[r] = f, 0
	if !f.own() {
		v := k.verdicts[w.last[r]] // the verdict of a side that is gone does not count
		w.last[r] = k.verdictNumber(syncproto.Verdict{State: v.State, Phase: v.Phase})
		w.is[r] &= told | shut
	}
	return w
}

// forget removes from a world what makes no difference any more, so that worlds which differ only in that become equal.
func (k *walk) forget(w *world) {
	talk := false // something may arrive that is counted
	for _, r := range [...]syncproto.Role{parent, child} {
		s := &k.sides[w.s[r]]
		if !s.live {
			if r == parent {
				w.sent = 0
			} else {
				w.got = 0
			}
			if w.fate[r] != running || s.wait != syncproto.WaitTold {
				w.why[r] = noReason
			}
			w.is[r] &^= obeys
			continue
		}
		talk = talk || w.queued[r] > 0 || w.part[r] != 0 || k.sides[w.s[r.Peer()]].live
	}
	if !talk {
		w.requested, w.replied, w.pending = [maxRows]uint8{}, [maxRows]uint8{}, false
		if !k.sides[w.s[parent]].live {
			w.committed = false
		}
	}
	if !k.sides[w.s[parent]].live && !k.sides[w.s[child]].live {
		w.refused = false
	}
}

// close closes r's end of the socket: frames queued for it are lost, and the kernel closes their descriptors.
func (k *walk) close(w world, r syncproto.Role, f fate) world {
	w = k.leave(w, r, f)
	for i := range w.queued[r] {
		w.flying -= int8(k.frames[w.queue[r][i]].NFDs)
	}
	w.queue[r], w.queued[r] = [capacity]uint16{}, 0
	if w.part[r] != 0 {
		w.flying -= int8(k.frames[w.part[r]].NFDs)
		w.part[r] = 0
	}
	return w
}

// blocked reports whether there is no room for all of r's outgoing frame at once.
func (k *walk) blocked(w *world, r syncproto.Role) bool {
	to := r.Peer()
	return w.out[r] != 0 && w.fate[to].open() && w.is[r]&shut == 0 && (w.part[to] != 0 || w.queued[to] >= k.rules.room)
}

// write sends as much of the outgoing frame as there is room for; ok is false if there is none.
func (k *walk) write(w world, r syncproto.Role) (next world, ok bool) {
	to, frame := r.Peer(), w.out[r]
	if !w.fate[to].open() || w.is[r]&shut != 0 {
		w.out[r] = 0
		if w.fate[to].open() {
			w.is[r] |= deaf // having shut down its own sending, it cannot tell this from a peer that is gone
		}
		return k.tell(w, r, input{opWriteFailed, 1}), true // EPIPE
	}
	p := &k.frames[frame]
	switch {
	case w.part[to] != 0:
		w.part[to] = 0
	case w.queued[to] >= k.rules.room:
		return w, false
	default:
		w.flying += int8(p.NFDs)
	}
	if w.wrong = k.checkSent(&w, r, p); w.wrong != 0 {
		return w, true
	}
	w.queue[to][w.queued[to]] = frame
	w.queued[to]++
	w.out[r] = 0
	return k.tell(w, r, input{op: opWritten}), true
}

// writeFails lets the outgoing frame fail for a reason of r's own, so its driver ends the conversation. If a part of
// the frame was sent, nothing can follow it.
func (k *walk) writeFails(w world, r syncproto.Role) world {
	if w.part[r.Peer()] != 0 {
		w.is[r] |= mute
	}
	w.out[r] = 0
	w.s[r] = k.apply(w.s[r], input{op: opWriteFailed}).to
	w.is[r] |= failing
	w.hurt = true
	return k.end(w, r, opAbort, byFailure)
}

// begin sends the beginning of the outgoing frame, and its descriptors: they are sent with the first byte.
func (k *walk) begin(w world, r syncproto.Role) (next world, ok bool) {
	to := r.Peer()
	if w.is[r]&shut != 0 || w.part[to] != 0 || !w.fate[to].open() || w.queued[to] >= k.rules.room {
		return w, false
	}
	w.part[to] = w.out[r]
	w.flying += int8(k.frames[w.out[r]].NFDs)
	return k.tell(w, r, input{op: opLeft}), true
}

// receive lets r read a frame, or the end. does is empty if there is nothing to read.
func (k *walk) receive(w world, r syncproto.Role) (next world, does string, frame uint16) {
	if w.queued[r] == 0 {
		return k.receiveEnd(w, r)
	}
	frame = w.queue[r][0]
	copy(w.queue[r][:], w.queue[r][1:])
	w.queued[r]--
	w.queue[r][w.queued[r]] = 0
	p := &k.frames[frame]
	w.flying -= int8(p.NFDs)
	before := w.s[r]
	if w.wrong = k.checkArrival(&w, r, p); w.wrong != 0 {
		return w, "receives", frame
	}
	out := k.apply(before, input{opReceive, frame})
	w.s[r] = out.to
	k.checkChange(&w, r, before, opReceive)
	if w.wrong == 0 {
		w.wrong = k.checkReceived(&w, r, before, p, out)
	}
	if w.wrong != 0 {
		return w, "receives", frame
	}
	return k.settle(w, r), "receives", frame
}

// receiveEnd lets r read when no frame is queued.
func (k *walk) receiveEnd(w world, r syncproto.Role) (next world, does string, frame uint16) {
	peer := r.Peer()
	if w.fate[peer].open() && w.is[peer]&shut == 0 {
		next = k.tell(w, r, input{op: opQuiet})
		switch {
		case next == w:
			return w, "", 0
		case next.s[r] == 0 && w.fate[peer].acts() && w.is[r]&deaf == 0:
			next.wrong = k.lawNumber("the " + r.String() + " does not wait for what its peer still sends")
		}
		return next, "finds nothing more", 0
	}
	w.is[r] |= drained
	if w.part[r] != 0 {
		return k.tell(w, r, input{opEndOfFile, 1}), "finds a frame cut short", 0
	}
	return k.tell(w, r, input{op: opEndOfFile}), "finds end of file", 0
}

// handleEvent does what a caller does about an event.
func (k *walk) handleEvent(w *world, r syncproto.Role, out output) {
	switch out.event {
	case session.Config:
		if w.got += uint16(len(out.bytes)); int(w.got) == len(k.rules.configs[0]) {
			w.s[r] = k.apply(w.s[r], input{op: opNarrow}).to
		}
	case session.Refused:
		w.pending = false
	case session.Cancel:
		if k.sides[w.s[r]].live {
			w.is[r] |= obeys
		}
	case session.Error:
		w.is[r] |= heard
	}
}
